import {
  type Clock,
  type EndpointRouter,
  GatewayError,
  readJsonBody,
  type ServiceRegistry,
} from '../../core/index.js';
import type { CacheState } from './cache-state.js';
import type { StoredResponse } from './stored-response.js';

/** What the admin routes work on. */
export interface AdminParts {
  readonly state: CacheState;
  readonly clock: Clock;
  readonly services: ServiceRegistry;
}

/** `GET /cache`, `GET /cache/entries?url=`, `POST /cache/purge` and `DELETE /cache`. */
export function mountAdminRoutes(router: EndpointRouter, { state, clock, services }: AdminParts): void {
  router.get('/cache', (ctx) => {
    const { store, statistics } = state;
    ctx.body = {
      size: store.entries,
      bytes: store.bytes,
      hits: statistics.hits,
      misses: statistics.misses,
      hit_rate: statistics.hitRate,
      outcomes: statistics.outcomes,
      stored: statistics.stored,
      evictions: store.evictions,
      purged: statistics.purged,
      collapsed: statistics.collapsed,
      refresh_failures: statistics.backgroundFailures,
    };
  });

  router.get('/cache/entries', (ctx) => {
    const { url } = ctx.query;
    if (typeof url !== 'string') throw new GatewayError('BAD_REQUEST', { message: 'Expected one url' });
    const key = keyOf(url, services);
    const found = [...(state.store.find(key)?.responses() ?? [])];
    if (found.length === 0)
      throw new GatewayError('NOT_FOUND', { message: 'Nothing is stored for this URL' });
    const now = clock.monotonic();
    ctx.body = { key, entries: found.map((response) => description(response, now)), total: found.length };
  });

  router.post('/cache/purge', async (ctx) => {
    ctx.body = { purged: purge(await readJsonBody(ctx.req), state, services) };
  });

  router.delete('/cache', (ctx) => {
    ctx.body = { purged: state.purgeAll() };
  });
}

/**
 * The key of a URL: with the name of the service in place of the host, or with the origin of one of its targets.
 *
 * @throws GatewayError BAD_REQUEST for what is no such URL
 */
function keyOf(url: string, services: ServiceRegistry): string {
  const text = url.startsWith('GET:') ? url.slice(4) : url;
  const match = /^(https?:\/\/[^/?#]+)([^#\s]*)$/.exec(text);
  if (!match)
    throw new GatewayError('BAD_REQUEST', { message: 'Expected a URL such as http://service/path' });
  const [, origin = '', rest = ''] = match;
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  for (const service of services.list()) {
    if (service.targets.some((target) => target.url === origin)) return `GET:http://${service.name}${path}`;
  }
  return `GET:${origin}${path}`;
}

const WAYS = ['url', 'prefix', 'service', 'tag', 'all'];

function purge(body: Record<string, unknown>, state: CacheState, services: ServiceRegistry): number {
  const [way, ...others] = Object.keys(body);
  if (way === undefined || others.length > 0 || !WAYS.includes(way))
    throw new GatewayError('BAD_REQUEST', { message: `Expected one of ${WAYS.join(', ')}` });
  if (way === 'all') {
    if (body[way] !== true) throw new GatewayError('BAD_REQUEST', { message: 'Expected all: true' });
    return state.purgeAll();
  }
  const value = body[way];
  if (typeof value !== 'string' || value === '')
    throw new GatewayError('BAD_REQUEST', { message: `Expected ${way} to be a text` });
  switch (way) {
    case 'url':
      return purgeUrl(keyOf(value, services), state, services);
    case 'prefix': {
      const prefix = keyOf(value, services);
      return state.purgeWhere(({ key }) => key.startsWith(prefix) || withoutHost(key).startsWith(prefix));
    }
    case 'service':
      return state.purgeWhere(({ service }) => service === value);
    default:
      return state.purgeTag(value);
  }
}

/** Where clients' hosts are part of the keys of a service, a URL without one means those of all hosts. */
function purgeUrl(key: string, state: CacheState, services: ServiceRegistry): number {
  const name = /^GET:http:\/\/([^/?#;]+)[/?]/.exec(key)?.[1];
  if (name === undefined || services.get(name)?.settings.preserveHost !== true) return state.invalidate(key);
  return state.purgeWhere((response) => withoutHost(response.key) === key);
}

function withoutHost(key: string): string {
  return key.replace(/^(GET:http:\/\/[^/?#;]+);host=[^/?#]*/, '$1');
}

/** What may be known of a stored response; neither its body nor whose it is. */
function description(response: StoredResponse, now: number): Record<string, unknown> {
  const { reuse } = response;
  return {
    status: response.status,
    service: response.service,
    body_bytes: response.body.length,
    bytes: response.size,
    age: Math.floor(response.age(now) / 1000),
    ttl: Math.ceil(response.freshFor(now) / 1000),
    fresh: response.freshFor(now) > 0 && !reuse.alwaysValidate,
    public: reuse.isPublic,
    vary: reuse.vary,
    etag: response.head.etag ?? null,
    last_modified: response.head.lastModified ?? null,
    tags: response.tags,
  };
}
