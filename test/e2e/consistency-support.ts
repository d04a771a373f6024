import type { UpstreamHandler } from '../support/upstream.js';
import { cannedEndpoints } from '../support/upstream-endpoints.js';

export const KEY = 'consistent-key-0123456789-0123456789';
const OFF = {
  'auth-apikey': false,
  'rate-limit-token-bucket': false,
  'response-cache': false,
  'circuit-breaker': false,
} as const;

export type Line = Readonly<Record<string, unknown>>;
export type Stats = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A service where only these of the plugins are on. */
export function behind(url: string, on: readonly (keyof typeof OFF)[], settings: object = {}) {
  const plugins: Record<string, boolean> = { ...OFF };
  for (const name of on) delete plugins[name];
  return { targets: [url], health: false, plugins, ...settings };
}

/** Answers with 503 first and with 200 then, by the query; `/cacheable` may be stored. */
export function createHandler(): UpstreamHandler {
  const seen = new Set<string>();
  return (req, res, recorded) => {
    const url = req.url ?? '';
    if (url.includes('/cacheable')) {
      res.writeHead(200, { 'cache-control': 'max-age=60', 'content-type': 'text/plain' }).end('stored');
    } else if (url.includes('/flaky') && !seen.has(url)) {
      seen.add(url);
      res.writeHead(503).end('again');
    } else if (url.includes('/flaky')) {
      res.writeHead(200).end('well');
    } else {
      cannedEndpoints(req, res, recorded);
    }
  };
}

/** What one request was, as log and metrics both have it. */
export function key(fields: Readonly<Record<string, unknown>>): string {
  const { service = '', route = '', method, status, code = '' } = fields;
  return `${service} ${route} ${method} ${status} ${code}`;
}

export function counted<T>(items: Iterable<T>, keyOf: (item: T) => string, weigh: (item: T) => number) {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const weight = weigh(item);
    if (weight > 0) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + weight;
  }
  return counts;
}
