import type { CopyCounts, Metric } from '../../core/index.js';

/** What became of copies since the gateway's start. */
export interface ShadowCounts extends CopyCounts {
  /** Not sent, since the body was too large or of unknown length. */
  body: number;
}

/** @param active copies under way */
export function* shadowMetrics(plugin: string, counts: ShadowCounts, active: number): Iterable<Metric> {
  const labels = { plugin };
  yield {
    name: 'gateway_shadow_copies_sent_total',
    help: 'Copies of requests that were sent to a second service.',
    type: 'counter',
    series: [{ labels, value: counts.sent }],
  };
  yield {
    name: 'gateway_shadow_copies_failed_total',
    help: 'Copies that were sent and got no response.',
    type: 'counter',
    series: [{ labels, value: counts.failed }],
  };
  yield {
    name: 'gateway_shadow_copies_dropped_total',
    help: 'Copies that were not sent, by reason.',
    type: 'counter',
    series: [
      { labels: { plugin, reason: 'busy' }, value: counts.busy },
      { labels: { plugin, reason: 'unavailable' }, value: counts.unavailable },
      { labels: { plugin, reason: 'body' }, value: counts.body },
    ],
  };
  yield {
    name: 'gateway_shadow_copies_active',
    help: 'Copies under way.',
    type: 'gauge',
    series: [{ labels, value: active }],
  };
}
