import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { EndpointRouter } from '../plugin.js';
import type { RequestCounters } from '../request-counters.js';

/** What `/stats` reports of. */
export interface StatsView {
  readonly counters: RequestCounters;
  readonly plugins: readonly LoadedPlugin[];
  /** The services that there are; what was counted of others is forgotten. */
  readonly services: () => Iterable<{ readonly name: string }>;
}

/**
 * `GET /api/v1/gateway/stats`, in the requirements' shape, with latencies and the same per service; plugins fill in what is
 * theirs.
 */
export function mountStatsRoutes(router: EndpointRouter, { counters, plugins, services }: StatsView): void {
  router.get('/stats', (ctx) => {
    const report: Record<string, Record<string, unknown>> = {
      request_stats: {
        total_requests: counters.total,
        successful_requests: counters.successful,
        failed_requests: counters.failed,
        rate_limited_requests: 0,
        circuit_breaker_trips: 0,
        cache_hits: 0,
        cache_misses: 0,
        latency_ms: counters.percentiles(),
      },
      circuit_breaker_stats: {},
      cache_stats: { size: 0, hit_rate: 0 },
      service_stats: perService(counters, services),
    };
    for (const plugin of plugins) {
      const { stats = {} } = plugin.guard('stats', () => plugin.instance.stats?.()) ?? {};
      for (const [section, values] of Object.entries(stats))
        report[section] = { ...report[section], ...values };
    }
    ctx.body = report;
  });
}

function perService(counters: RequestCounters, services: StatsView['services']): Record<string, unknown> {
  counters.keepServices(new Set(Array.from(services(), ({ name }) => name)));
  const report: Record<string, unknown> = Object.create(null);
  for (const [name, tally, percentiles] of counters.services()) {
    report[name] = {
      total_requests: tally.total,
      successful_requests: tally.successful,
      failed_requests: tally.failed,
      latency_ms: percentiles,
    };
  }
  return report;
}
