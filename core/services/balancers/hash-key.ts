import type { LoadBalancingSettings } from '../../config/service-schema.js';
import type { Exchange } from '../../exchange.js';

/** What of a request decides its target. */
export type HashKey = (exchange: Exchange) => string;

/** The part of a request that the settings name; the client's address where the request does not have it. */
export function hashKeyOf(settings: LoadBalancingSettings): HashKey {
  const name = settings.hashKey;
  switch (settings.hashOn) {
    case 'client-address':
      return (exchange) => exchange.clientAddress;
    case 'consumer':
      return (exchange) => exchange.consumer?.id ?? exchange.clientAddress;
    case 'header': {
      if (name === undefined) return (exchange) => exchange.clientAddress;
      const field = name.toLowerCase();
      return (exchange) => {
        const value = exchange.req.headers[field];
        return (Array.isArray(value) ? value.join(', ') : value) || exchange.clientAddress;
      };
    }
    case 'cookie': {
      if (name === undefined) return (exchange) => exchange.clientAddress;
      return (exchange) => cookieValue(exchange.req.headers.cookie, name) || exchange.clientAddress;
    }
  }
}

/**
 * The value of the first cookie of that name in a `Cookie` field (RFC 6265 section 5.4), as it stands there.
 *
 * @returns undefined when there is none
 */
export function cookieValue(field: string | undefined, name: string): string | undefined {
  if (field === undefined) return undefined;
  let start = 0;
  while (start < field.length) {
    while (field[start] === ' ') start++;
    const semicolon = field.indexOf(';', start);
    const end = semicolon < 0 ? field.length : semicolon;
    if (field.startsWith(name, start) && field[start + name.length] === '=') {
      return field.slice(start + name.length + 1, end).trimEnd();
    }
    start = end + 1;
  }
  return undefined;
}
