import { parseArgs } from 'node:util';
import type { Subject } from '../subjects.js';
import { SUBJECTS, YARDSTICK } from './subjects.js';
import { MESSAGES, type MessageWorkload } from './workloads.js';

export const USAGE = `npm run bench:websocket -- [options]
  --subjects a,b      some of: ${SUBJECTS.map(({ name }) => name).join(' ')}; the first always runs
  --rounds N          rounds of messages, 1 to 1,000 (40); 0 leaves them out
  --starts N          times that all subjects are started anew in the course of the rounds (5)
  --round-trips N     measured round trips in a round, instead of the workload's own number
  --connections N     connections that messages go over (64)
  --idle N            idle connections (10,000); 0 leaves them out
  --idle-rounds N     times that the idle connections are opened (3)
  --[no-]write        write docs/benchmarks-websocket.md; on by default when nothing is changed
  --no-build          measure dist/ as it is
  --assert            exit 1 when a bar is not kept
`;

export interface Options {
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  /** How many times the subjects are started for them; at most as often as there are rounds. */
  readonly starts: number;
  readonly messages: readonly MessageWorkload[];
  readonly connections: number;
  readonly idle: number;
  readonly idleRounds: number;
  readonly write: boolean;
  readonly build: boolean;
  readonly assert: boolean;
}

/** @throws Error that says what is wrong with the arguments */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      subjects: { type: 'string' },
      rounds: { type: 'string' },
      starts: { type: 'string' },
      'round-trips': { type: 'string' },
      connections: { type: 'string' },
      idle: { type: 'string' },
      'idle-rounds': { type: 'string' },
      write: { type: 'boolean' },
      build: { type: 'boolean', default: true },
      assert: { type: 'boolean', default: false },
    },
  });
  const numbers = ['rounds', 'starts', 'round-trips', 'connections', 'idle', 'idle-rounds'] as const;
  const number = (option: (typeof numbers)[number], fallback: number, least: number, most: number) => {
    const value = Number(values[option] ?? fallback);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(`--${option}: ${values[option]} is not a whole number from ${least} to ${most}`);
  };
  const names = new Set(values.subjects?.split(',') ?? SUBJECTS.map(({ name }) => name)).add(YARDSTICK);
  const subjects = SUBJECTS.filter(({ name }) => names.delete(name));
  if (names.size > 0) throw new Error(`--subjects: there is no ${[...names].join(', ')}`);
  const rounds = number('rounds', 40, 0, 1000);
  return {
    subjects,
    rounds,
    starts: Math.min(number('starts', 5, 1, 100), Math.max(rounds, 1)),
    messages: MESSAGES.map((workload) => ({
      ...workload,
      roundTrips: number('round-trips', workload.roundTrips, 1, 1e7),
    })),
    connections: number('connections', 64, 1, 4096),
    idle: number('idle', 10_000, 0, 100_000),
    idleRounds: number('idle-rounds', 3, 1, 100),
    write:
      values.write ??
      (values.subjects === undefined && numbers.every((option) => values[option] === undefined)),
    build: values.build,
    assert: values.assert,
  };
}
