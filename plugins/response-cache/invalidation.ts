import type { Exchange, GatewayContext } from '../../core/index.js';
import { fieldsOf } from '../../core/index.js';
import type { Answers } from './answers.js';
import type { CacheState } from './cache-state.js';
import { resourceKey } from './request-key.js';
import { ResponseFields } from './response-fields.js';

/** RFC 9110 section 9.2.1; any other method may change what is stored. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY']);

/** Passes requests on that are not answered from the cache, and removes what they change (RFC 9111 section 4.4). */
export class Invalidation {
  readonly #state: CacheState;
  readonly #answers: Answers;

  constructor(state: CacheState, answers: Answers) {
    this.#state = state;
    this.#answers = answers;
  }

  async pass(ctx: GatewayContext, next: () => Promise<void>): Promise<void> {
    const exchange = ctx.gateway;
    try {
      await next();
    } catch (failure) {
      this.#answers.missed(ctx, { outcome: 'BYPASS', reason: 'method' });
      throw failure;
    }
    const status = ctx.res.statusCode;
    if (!SAFE.has(exchange.req.method ?? '') && status >= 200 && status < 400) {
      this.#state.invalidate(resourceKey(exchange));
      const { location, contentLocation } = new ResponseFields(fieldsOf(ctx.res), []);
      for (const reference of [location, contentLocation]) {
        if (reference === undefined) continue;
        for (const key of keysOf(exchange, reference)) this.#state.invalidate(key);
      }
    }
    this.#answers.missed(ctx, { outcome: 'BYPASS', reason: 'method', status });
  }
}

/**
 * The keys of what a `Location` or `Content-Location` refers to; none of another origin. An upstream may write its own
 * paths or those that clients see, so both are tried where it cannot be told.
 */
function keysOf(exchange: Exchange, reference: string): string[] {
  let seenOrigin: string;
  let upstreamOrigin: string;
  let url: URL;
  try {
    seenOrigin = new URL(`${exchange.scheme}://${exchange.host}`).origin;
    upstreamOrigin = exchange.target === undefined ? seenOrigin : new URL(exchange.target.url).origin;
    url = new URL(reference, upstreamOrigin + exchange.upstreamPath);
  } catch {
    return [];
  }
  const path = url.pathname + url.search;
  const paths = new Set<string>();
  const isSeen = url.origin === seenOrigin;
  const isUpstream = url.origin === upstreamOrigin;
  if (isUpstream) paths.add(path);
  if (isSeen || isUpstream) {
    const [seen, sent] = prefixes(exchange);
    if (path.startsWith(seen)) paths.add(sent + path.slice(seen.length));
    if (isSeen && exchange.service.settings.preserveHost) paths.add(path);
  }
  const key = resourceKey(exchange);
  const base = key.slice(0, key.length - exchange.upstreamPath.length);
  return [...paths].map((each) => base + each);
}

/** What clients' paths begin with, and what the upstream's do in its place. */
function prefixes(exchange: Exchange): readonly [string, string] {
  const seen = exchange.path;
  const query = exchange.upstreamPath.indexOf('?');
  const sent = query === -1 ? exchange.upstreamPath : exchange.upstreamPath.slice(0, query);
  let common = 0;
  while (
    common < seen.length &&
    common < sent.length &&
    seen[seen.length - 1 - common] === sent[sent.length - 1 - common]
  )
    common++;
  return [seen.slice(0, seen.length - common), sent.slice(0, sent.length - common)];
}
