import type { Results, Spread } from './results.js';
import type { Scenario } from './workloads.js';

/** One thing that the gateway is to keep to, and whether it does. */
export interface Bar {
  readonly text: string;
  readonly kept: boolean;
}

const GATEWAY = 'gateway';
const MOST_TO_YARDSTICK = 1.25;
const MOST_TO_TEN_SERVICES = 1.05;
const MOST_OF_KOA = 0.8;
const MOST_OF_PLAIN_HIT = 1.2;

/** What is to be kept, of what was measured. */
export function bars(all: readonly Results[]): readonly Bar[] {
  return all.flatMap((results) => {
    switch (results.stage.name) {
      case 'gateways':
        return gatewayBars(results);
      case 'plugins':
        return pluginBars(results);
      default:
        return [
          ratioBar(results, 'cache-hit', 'koa-buffer', MOST_OF_KOA),
          ratioBar(results, 'cache-hit-br', 'cache-hit-plain', MOST_OF_PLAIN_HIT),
        ].flat();
    }
  });
}

function gatewayBars(results: Results): readonly Bar[] {
  return [
    ...ratioBar(results, GATEWAY, 'yardstick', MOST_TO_YARDSTICK),
    ...ratioBar(results, 'gateway-10000', 'gateway-10', MOST_TO_TEN_SERVICES),
    ...results.scenarios.flatMap((scenario) => peerBar(results, GATEWAY, scenario)),
    ...peerBar(results, 'gateway-all', mainScenario(results)),
  ];
}

/** The 1 KB GET over 64 connections: what everything is held against. */
function mainScenario({ scenarios }: Results): Scenario | undefined {
  return scenarios.find(({ workload, connections }) => workload.name === 'small' && connections === 64);
}

function ratioBar(results: Results, name: string, other: string, most: number): readonly Bar[] {
  const scenario = mainScenario(results);
  const ratio = scenario && results.ratio(name, other, scenario)?.median;
  if (ratio === undefined) return [];
  const text = `${name} at most ${most} × ${other} (1 KB GET, 64 connections): ${ratio.toFixed(3)}`;
  return [{ text, kept: ratio <= most }];
}

function peerBar(results: Results, name: string, scenario: Scenario | undefined): readonly Bar[] {
  if (scenario === undefined) return [];
  const peers = results.all.filter(
    (series) => series.scenario === scenario && series.subject.kind === 'node-peer',
  );
  const ratios = peers.flatMap(({ subject }) => {
    const ratio = results.ratio(name, subject.name, scenario)?.median;
    return ratio === undefined ? [] : [{ name: subject.name, ratio }];
  });
  if (ratios.length === 0) return [];
  const { workload, connections } = scenario;
  const listed = ratios.map((peer) => `${peer.ratio.toFixed(2)} of ${peer.name}`).join(', ');
  const text = `${name} less than every Node.js peer (${workload.title}, ${connections} connections): ${listed}`;
  return [{ text, kept: ratios.every(({ ratio }) => ratio < 1) }];
}

function pluginBars(results: Results): readonly Bar[] {
  return results.all.flatMap(({ subject: { name, title, addsTo = '', most }, scenario }) => {
    const added: Spread | undefined = results.compared(
      name,
      addsTo,
      scenario,
      (cpu, without) => cpu - without,
    );
    if (most === undefined || added === undefined) return [];
    return [
      { text: `${title} adds under ${most} µs: ${added.median.toFixed(1)}`, kept: added.median < most },
    ];
  });
}
