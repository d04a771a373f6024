import { CACHES, GATEWAYS, PLUGINS, type Subject, YARDSTICK } from './subjects.js';
import type { Scenario, Workload } from './workloads.js';

/** A part of the benchmark: subjects that are measured against each other, in rounds of their own. */
export interface Stage {
  readonly name: 'gateways' | 'plugins' | 'caches';
  readonly title: string;
  readonly subjects: readonly Subject[];
  /** Name of the subject that ratios are to. */
  readonly yardstick: string;
  /** Rounds, unless a run says otherwise: many where differences are small. */
  readonly rounds: number;
  /**
   * How often the processes are started anew, each time for a part of the rounds: what the compiler and the collector of a
   * process make of the same code differs by some microseconds from one start to the next.
   */
  readonly starts: number;
  /** Whether it is measured in this scenario. */
  covers(scenario: Scenario): boolean;
}

const main = ({ workload, connections }: { workload: Workload; connections: number }) =>
  workload.name === 'small' && connections === 64;

export const STAGES: readonly Stage[] = [
  {
    name: 'gateways',
    title: 'What it costs to forward a request',
    subjects: GATEWAYS,
    yardstick: YARDSTICK,
    rounds: 24,
    starts: 4,
    covers: () => true,
  },
  {
    name: 'plugins',
    title: 'What each plugin adds',
    subjects: PLUGINS,
    yardstick: YARDSTICK,
    rounds: 100,
    starts: 4,
    covers: main,
  },
  {
    name: 'caches',
    title: 'What a hit of response-cache costs',
    subjects: CACHES,
    yardstick: 'koa-buffer',
    rounds: 100,
    starts: 5,
    covers: main,
  },
];
