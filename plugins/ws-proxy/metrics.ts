import type { Metric } from '../../core/index.js';
import type { ConnectionTable, ServiceTotals } from './connection-table.js';

type Labels = Readonly<Record<string, string>>;
type Series = { readonly labels: Labels; readonly value: number };

/** What a scrape is told of the connections. */
export function connectionMetrics(table: ConnectionTable, plugin: string): Iterable<Metric> {
  const totals = table.totals();
  const metric = (
    name: string,
    help: string,
    type: Metric['type'],
    read: (totals: ServiceTotals) => Iterable<readonly [Labels, number]>,
  ): Metric => ({ name: `gateway_websocket_${name}`, help, type, series: series(totals, plugin, read) });
  return [
    metric('connections', 'Upgraded connections that are open.', 'gauge', ({ open }) => [[{}, open]]),
    metric('connections_opened_total', 'Upgraded connections since the start.', 'counter', ({ opened }) => [
      [{}, opened],
    ]),
    metric('connections_closed_total', 'Upgraded connections that ended, by how.', 'counter', ({ closed }) =>
      [...closed].map(([ended, count]) => [{ close: ended }, count]),
    ),
    metric('messages_total', 'Messages relayed; in is from clients. Managed mode.', 'counter', (each) => [
      [{ direction: 'in' }, each.messagesIn],
      [{ direction: 'out' }, each.messagesOut],
    ]),
    metric(
      'traffic_bytes_total',
      'Payload relayed; in tunnels all bytes. In is from clients.',
      'counter',
      (each) => [
        [{ direction: 'in' }, each.bytesIn],
        [{ direction: 'out' }, each.bytesOut],
      ],
    ),
    metric(
      'reconnects_total',
      'Connections to targets that were made anew, or given up.',
      'counter',
      (each) => [
        [{ result: 'connected' }, each.reconnects],
        [{ result: 'given_up' }, each.failedReconnects],
      ],
    ),
  ];
}

function* series(
  totals: ReadonlyMap<string, ServiceTotals>,
  plugin: string,
  read: (totals: ServiceTotals) => Iterable<readonly [Labels, number]>,
): Iterable<Series> {
  for (const [service, each] of totals) {
    for (const [labels, value] of read(each)) yield { labels: { plugin, service, ...labels }, value };
  }
}
