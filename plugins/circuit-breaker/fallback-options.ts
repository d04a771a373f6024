import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Mistake } from '../../core/index.js';

/** What answers instead of a service whose circuit is open. */
export interface FallbackOptions {
  /** Name of another service. */
  readonly service?: string;
  readonly response?: ResponseOptions;
}

interface ResponseOptions {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Text as it is; anything else as JSON. */
  readonly body: unknown;
}

/** A response that can be sent as it is. */
export interface CannedResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Whether `Retry-After` is to be added: for 503, where the options do not have it. */
  readonly retryAfter: boolean;
}

/** Fields that say where a message ends, or are for one connection only (RFC 9110 section 7.6.1). */
const FRAMING = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Completes a response of the options: a type for its body, and no place in a cache. */
export function cannedResponse({ status, headers, body }: ResponseOptions): CannedResponse {
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const isText = typeof body === 'string';
  const text = isText ? body : JSON.stringify(body);
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  return {
    status,
    headers: [
      ...(names.has('content-type') || text === '' ? [] : [['Content-Type', type] as const]),
      ...(names.has('cache-control') ? [] : [['Cache-Control', 'no-store'] as const]),
      ...Object.entries(headers),
    ],
    body: text,
    retryAfter: status === 503 && !names.has('retry-after'),
  };
}

/**
 * What is wrong with a fallback although its schema allows it.
 *
 * @param file where the options stand, for messages
 */
export function fallbackMistakes(fallback: FallbackOptions | undefined, file: string): Mistake[] {
  if (fallback === undefined) return [];
  const { service, response } = fallback;
  if (service === undefined && response === undefined) {
    return [{ file, path: 'fallback', found: 'neither', expected: 'a service or a response' }];
  }
  return Object.entries(response?.headers ?? {}).flatMap(([name, value]) => {
    const expected = headerFault(name, value);
    const path = `fallback.response.headers.${name}`;
    return expected === undefined ? [] : [{ file, path, found: JSON.stringify(value), expected }];
  });
}

function headerFault(name: string, value: string): string | undefined {
  if (FRAMING.has(name.toLowerCase())) return 'another field: this one is the gateway’s to write';
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return undefined;
  } catch {
    return 'a header field as RFC 9110 section 5.1 has it';
  }
}
