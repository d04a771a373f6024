import type { IncomingHttpHeaders } from 'node:http';
import { deltaSeconds, MOST_SECONDS, parseCacheControl } from './cache-control.js';

/** What a client asks of caches (RFC 9111 section 5.2.1); times in milliseconds. */
export interface RequestWishes {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  /** Oldest age that it takes; Infinity for any. */
  readonly maxAge: number;
  /** For how long a response must still be fresh. */
  readonly minFresh: number;
  /** For how long it may have been stale; Infinity for any time. */
  readonly maxStale: number;
}

/** Of a client that asks for nothing special. */
export const NO_WISHES: RequestWishes = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAge: Number.POSITIVE_INFINITY,
  minFresh: 0,
  maxStale: 0,
};

/** Reads what a request asks of caches; `Pragma: no-cache` counts where there is no `Cache-Control` (section 5.4). */
export function readWishes(headers: IncomingHttpHeaders): RequestWishes {
  const field = headers['cache-control'];
  if (field === undefined) {
    const { pragma } = headers;
    if (pragma === undefined || !parseCacheControl(pragma).has('no-cache')) return NO_WISHES;
    return { ...NO_WISHES, noCache: true };
  }
  const directives = parseCacheControl(field);
  const milliseconds = (name: string, absent: number, malformed: number) => {
    const value = directives.get(name);
    return value === undefined ? absent : (deltaSeconds(value) ?? malformed) * 1000;
  };
  const stale = directives.get('max-stale');
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAge: milliseconds('max-age', Number.POSITIVE_INFINITY, 0),
    minFresh: milliseconds('min-fresh', 0, MOST_SECONDS),
    maxStale: stale === '' ? Number.POSITIVE_INFINITY : milliseconds('max-stale', 0, 0),
  };
}
