import type { Exchange } from '../../core/index.js';

/** Where a token may stand, beside the `Authorization` field. */
export interface SourceNames {
  readonly cookie: string | undefined;
  readonly query: string | undefined;
  /** What an entry of `Sec-WebSocket-Protocol` begins with that holds one. */
  readonly subprotocol?: string | undefined;
}

/** What is taken for a token that is there and cannot be one; nothing accepts it. */
const UNREADABLE = '';

/**
 * Finds the token of a request: in `Authorization: Bearer` (RFC 6750 section 2.1), else in the cookie, else in the
 * query, else among the subprotocols of a WebSocket. The latter three are taken out of what goes to the upstream in any
 * case, and the rest of them stays as it is.
 */
export class TokenSources {
  readonly #cookie: string | undefined;
  readonly #query: string | undefined;
  readonly #subprotocol: string | undefined;

  constructor({ cookie, query, subprotocol }: SourceNames) {
    this.#cookie = cookie;
    this.#query = query;
    this.#subprotocol = subprotocol;
  }

  /** @returns undefined when there is none; the empty text for one that is ambiguous or not readable */
  take(exchange: Exchange): string | undefined {
    const fromHeader = bearerToken(exchange.req.headers.authorization, exchange.req.rawHeaders);
    const fromCookie = this.#cookie === undefined ? undefined : takeCookie(exchange, this.#cookie);
    const fromQuery = this.#query === undefined ? undefined : takeParameter(exchange, this.#query);
    const fromSubprotocol =
      this.#subprotocol === undefined ? undefined : takeSubprotocol(exchange, this.#subprotocol);
    return fromHeader ?? fromCookie ?? fromQuery ?? fromSubprotocol;
  }
}

function bearerToken(field: string | undefined, rawHeaders: readonly string[]): string | undefined {
  if (field === undefined) return undefined;
  // Node.js keeps the first of several fields, and an upstream may believe another.
  if (countAuthorization(rawHeaders) > 1) return UNREADABLE;
  if (field.length < 6 || field.slice(0, 6).toLowerCase() !== 'bearer') return undefined;
  if (field.length === 6) return UNREADABLE;
  if (field[6] !== ' ') return undefined;
  return field.slice(7).trim();
}

function countAuthorization(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 13 && (name === 'authorization' || name.toLowerCase() === 'authorization'))
      count += 1;
  }
  return count;
}

function takeCookie(exchange: Exchange, name: string): string | undefined {
  const edits = exchange.upstreamHeaders;
  const field = edits?.has('cookie') ? edits.get('cookie') : exchange.req.headers.cookie;
  if (field === undefined || !field.includes(name)) return undefined;
  let found: string | undefined;
  const kept: string[] = [];
  for (const pair of field.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== name) {
      kept.push(pair);
      continue;
    }
    // Two cookies of one name: a neighbouring subdomain may have planted one of them.
    found = found === undefined ? unquoted(pair.slice(equals + 1).trim()) : UNREADABLE;
  }
  if (found === undefined) return undefined;
  const rest = kept.join(';').trimStart();
  if (rest === '') exchange.removeUpstreamHeader('cookie');
  else exchange.setUpstreamHeader('cookie', rest);
  return found;
}

function takeParameter(exchange: Exchange, name: string): string | undefined {
  const path = exchange.upstreamPath;
  const start = path.indexOf('?');
  if (start === -1) return undefined;
  let found: string | undefined;
  const kept: string[] = [];
  for (const pair of path.slice(start + 1).split('&')) {
    const equals = pair.indexOf('=');
    if (decoded(equals === -1 ? pair : pair.slice(0, equals)) !== name) {
      kept.push(pair);
      continue;
    }
    const value = equals === -1 ? UNREADABLE : (decoded(pair.slice(equals + 1)) ?? UNREADABLE);
    found = found === undefined ? value : UNREADABLE;
  }
  if (found === undefined) return undefined;
  exchange.upstreamPath =
    kept.length === 0 ? path.slice(0, start) : `${path.slice(0, start)}?${kept.join('&')}`;
  return found;
}

/** Browsers can set no field of a WebSocket's handshake but this one (RFC 6455 section 4.1). */
function takeSubprotocol(exchange: Exchange, prefix: string): string | undefined {
  const edits = exchange.upstreamHeaders;
  const name = 'sec-websocket-protocol';
  const field = edits?.has(name) ? edits.get(name) : exchange.req.headers[name];
  if (field === undefined || !field.includes(prefix)) return undefined;
  let found: string | undefined;
  const kept: string[] = [];
  for (const entry of field.split(',').map((each) => each.trim())) {
    if (!entry.startsWith(prefix)) kept.push(entry);
    else found = found === undefined ? entry.slice(prefix.length) : UNREADABLE;
  }
  if (found === undefined) return undefined;
  if (kept.length === 0) exchange.removeUpstreamHeader(name);
  else exchange.setUpstreamHeader(name, kept.join(', '));
  return found;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

function decoded(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
