import { BENCH_API_KEY, BENCH_SECRET, benchToken } from './credentials.js';

/** A plugin whose cost has a row of its own. */
export interface PluginRow {
  readonly title: string;
  /** Its entry in the list, as in `.gatewayrc`; set so that every request passes. */
  readonly plugin?: unknown;
  /** Several entries, where it takes more than one. */
  readonly plugins?: readonly unknown[];
  /** Most microseconds of CPU that it may add to a request. */
  readonly most?: number;
  /** The subject that it is held against; the gateway with the empty plugin by default. */
  readonly addsTo?: string;
  /** How many URLs the requests go round over. */
  readonly urls?: number;
  /** What every request must bring for that. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Log level, where it is not WARNING. */
  readonly level?: string;
}

/** URLs for plugins that make a difference of them. */
export const MANY_URLS = 10_000;

/** What requests show. A plugin that takes it is held against a gateway that passes it on. */
export const BEARER = { authorization: `Bearer ${benchToken()}` };
export const KEY = { 'x-api-key': BENCH_API_KEY };

/** What each plugin adds to a request that it lets pass. To add a row is to add a line here. */
export const PLUGIN_ROWS: readonly PluginRow[] = [
  { title: 'access-log', plugin: 'access-log', level: 'INFO', most: 10 },
  { title: 'auth-apikey', plugin: apiKeys(), headers: KEY, addsTo: 'gateway-empty-key', most: 5 },
  {
    title: 'auth-jwt, remembered token',
    plugin: { 'auth-jwt': { secret: BENCH_SECRET } },
    headers: BEARER,
    addsTo: 'gateway-empty-bearer',
    most: 5,
  },
  {
    title: 'auth-jwt, first-seen token',
    plugin: { 'auth-jwt': { secret: BENCH_SECRET, cache: 0 } },
    headers: BEARER,
    addsTo: 'gateway-empty-bearer',
    most: 60,
  },
  { title: 'circuit-breaker', plugin: 'circuit-breaker', most: 5 },
  { title: 'compress', plugin: 'compress' },
  { title: 'cors', plugin: { cors: { origins: ['*'] } } },
  {
    title: 'fault-injection, not asked for',
    plugin: { 'fault-injection': { abort: { header: 'x-fault' } } },
  },
  { title: 'header-transform', plugin: { 'header-transform': { request: { set: { 'x-a': 'b' } } } } },
  { title: 'ip-restriction', plugin: { 'ip-restriction': { deny: ['192.0.2.0/24'] } } },
  { title: 'metrics', plugin: 'metrics', most: 4 },
  {
    title: 'rate-limit-token-bucket',
    plugin: { 'rate-limit-token-bucket': { requests: 1_000_000_000, window: '1s' } },
    most: 5,
  },
  {
    title: 'request-validator',
    plugin: { 'request-validator': { schemas: { query: { type: 'object', additionalProperties: false } } } },
  },
  { title: 'response-cache, hit', plugin: 'response-cache' },
  {
    title: 'response-cache, stored miss',
    // Each URL has been evicted by the time it comes round again.
    plugin: { 'response-cache': { maxEntries: 1000 } },
    urls: MANY_URLS,
    addsTo: 'gateway-empty-urls',
    most: 15,
  },
  { title: 'security-headers', plugin: 'security-headers' },
  { title: 'server-timing', plugin: 'server-timing' },
  { title: 'tracing, unsampled', plugin: { tracing: { sample: 0 } }, most: 5 },
  { title: 'traffic-split', plugin: { 'traffic-split': { to: [{ service: 'bench' }] } } },
  { title: 'ws-proxy', plugin: 'ws-proxy' },
];

function apiKeys() {
  return { 'auth-apikey': { keys: [{ consumer: 'bench', name: 'bench', key: BENCH_API_KEY }] } };
}
