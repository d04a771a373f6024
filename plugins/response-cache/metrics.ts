import type { Metric } from '../../core/index.js';
import type { CacheState } from './cache-state.js';

/** The present values of the cache's metrics; how requests were answered is counted from their decisions. */
export function metricsOf({ store, statistics }: CacheState): Metric[] {
  const one = (name: string, help: string, type: Metric['type'], value: number): Metric => ({
    name,
    help,
    type,
    series: [{ labels: {}, value }],
  });
  return [
    one('gateway_cache_bytes', 'Bytes that stored responses take.', 'gauge', store.bytes),
    one('gateway_cache_entries', 'Responses that are stored.', 'gauge', store.entries),
    one('gateway_cache_evictions_total', 'Responses that had to go for others.', 'counter', store.evictions),
    one('gateway_cache_stored_total', 'Responses that were stored.', 'counter', statistics.stored),
    one(
      'gateway_cache_purged_total',
      'Responses that were purged or invalidated.',
      'counter',
      statistics.purged,
    ),
    one(
      'gateway_cache_collapsed_total',
      'Requests that were answered with the response to another.',
      'counter',
      statistics.collapsed,
    ),
    one(
      'gateway_cache_refresh_failures_total',
      'Stale responses that could not be refreshed in the background.',
      'counter',
      statistics.backgroundFailures,
    ),
  ];
}
