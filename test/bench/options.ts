import { parseArgs } from 'node:util';
import { SUBJECTS, type Subject, YARDSTICK } from './subjects.js';
import { type Scenario, WORKLOADS, type Workload } from './workloads.js';

export const USAGE = `npm run bench -- [options]
  --subjects a,b      some of: ${SUBJECTS.map(({ name }) => name).join(' ')}
                      (the yardstick always runs)
  --workloads a,b     some of: ${WORKLOADS.map(({ name }) => name).join(' ')}
  --connections a,b   numbers of client connections (64,512)
  --rounds N          rounds, 1 to 1,000 (40)
  --requests N        measured requests in a round, instead of the workload's own number
  --quick             small GET, 64 connections, 20 rounds, unless said otherwise
  --[no-]write        write docs/benchmarks.md; on by default when nothing is left out
  --no-build          measure dist/ as it is
  --assert            exit 1 when a bar is not kept
`;

export interface Options {
  readonly subjects: readonly Subject[];
  readonly workloads: readonly Workload[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
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
      workloads: { type: 'string' },
      connections: { type: 'string' },
      rounds: { type: 'string' },
      requests: { type: 'string' },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean' },
      build: { type: 'boolean', default: true },
      assert: { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  const requests = values.requests;
  const workloads = named(WORKLOADS, values.workloads ?? (quick ? 'small' : undefined), '--workloads').map(
    (workload) => ({
      ...workload,
      requests: requests ? wholeNumber(requests, '--requests', 1e7) : workload.requests,
    }),
  );
  const connections = (values.connections ?? (quick ? '64' : '64,512'))
    .split(',')
    .map((text) => wholeNumber(text, '--connections', 4096));
  const narrowed = [values.subjects, values.workloads, values.connections, values.requests, values.rounds];
  return {
    subjects: named(SUBJECTS, values.subjects && `${YARDSTICK},${values.subjects}`, '--subjects'),
    workloads,
    scenarios: connections.flatMap((count) =>
      workloads.map((workload) => ({ workload, connections: count })),
    ),
    rounds: wholeNumber(values.rounds ?? (quick ? '20' : '40'), '--rounds', 1000),
    write: values.write ?? (!quick && narrowed.every((value) => value === undefined)),
    build: values.build,
    assert: values.assert,
  };
}

function named<T extends { readonly name: string }>(
  all: readonly T[],
  list: string | undefined,
  option: string,
) {
  if (list === undefined) return all;
  const names = new Set(list.split(','));
  const found = all.filter(({ name }) => names.delete(name));
  if (names.size > 0) throw new Error(`${option}: there is no ${[...names].join(', ')}`);
  return found;
}

function wholeNumber(text: string, option: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${option}: ${text} is not a whole number from 1 to ${most}`);
  }
  return value;
}
