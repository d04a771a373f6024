import type { Results } from './results.js';
import { YARDSTICK } from './subjects.js';
import type { Scenario } from './workloads.js';

/** One thing that the gateway is to keep to, and whether it does. */
export interface Bar {
  readonly text: string;
  readonly kept: boolean;
}

const GATEWAY = 'gateway';
const MOST_TO_YARDSTICK = 1.25;
const MOST_TO_TEN_SERVICES = 1.05;

/** The bars of issue 2. What was not measured is not kept. */
export function bars(results: Results): readonly Bar[] {
  const main = results.scenarios.find(
    ({ workload, connections }) => workload.name === 'small' && connections === 64,
  );
  return [
    ratioBar(results, GATEWAY, YARDSTICK, main, MOST_TO_YARDSTICK),
    ratioBar(results, 'gateway-10000', 'gateway-10', main, MOST_TO_TEN_SERVICES),
    ...results.scenarios.map((scenario) => peerBar(results, scenario)),
  ];
}

function ratioBar(
  results: Results,
  name: string,
  other: string,
  scenario: Scenario | undefined,
  most: number,
): Bar {
  const ratio = scenario && results.ratio(name, other, scenario)?.median;
  return {
    text: `${name} at most ${most} × ${other} (1 KB GET, 64 connections): ${ratio?.toFixed(3) ?? 'not measured'}`,
    kept: ratio !== undefined && ratio <= most,
  };
}

function peerBar(results: Results, scenario: Scenario): Bar {
  const peers = results.all.filter(
    (series) => series.scenario === scenario && series.subject.kind === 'node-peer',
  );
  const ratios = peers.flatMap(({ subject: { name } }) => {
    const ratio = results.ratio(GATEWAY, name, scenario)?.median;
    return ratio === undefined ? [] : [{ name, ratio }];
  });
  const listed = ratios.map(({ name, ratio }) => `${ratio.toFixed(2)} of ${name}`).join(', ');
  const { workload, connections } = scenario;
  return {
    text: `${GATEWAY} less than every Node.js peer (${workload.title}, ${connections} connections): ${listed || 'not measured'}`,
    kept: ratios.length > 0 && ratios.every(({ ratio }) => ratio < 1),
  };
}
