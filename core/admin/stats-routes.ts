import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { EndpointRouter } from '../plugin.js';
import type { RequestCounters } from '../request-counters.js';

/** What `/stats` reports of. */
export interface StatsView {
  readonly counters: RequestCounters;
  readonly plugins: readonly LoadedPlugin[];
}

/** `GET /api/v1/gateway/stats`, in the requirements' shape; plugins fill in what is theirs. */
export function mountStatsRoutes(router: EndpointRouter, { counters, plugins }: StatsView): void {
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
      },
      circuit_breaker_stats: {},
      cache_stats: { size: 0, hit_rate: 0 },
    };
    for (const plugin of plugins) {
      const { stats = {} } = plugin.guard('stats', () => plugin.instance.stats?.()) ?? {};
      for (const [section, values] of Object.entries(stats))
        report[section] = { ...report[section], ...values };
    }
    ctx.body = report;
  });
}
