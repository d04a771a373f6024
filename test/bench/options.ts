import { parseArgs } from 'node:util';
import { STAGES, type Stage } from './stages.js';
import { type Scenario, WORKLOADS, type Workload } from './workloads.js';

export const USAGE = `npm run bench -- [options]
  --stages a,b        some of: ${STAGES.map(({ name }) => name).join(' ')}
  --subjects a,b      some of:
${STAGES.map((stage) => `    ${stage.name}: ${stage.subjects.map(({ name }) => name).join(' ')}`).join('\n')}
                      (the yardstick of a stage always runs, and what a subject adds to)
  --workloads a,b     some of: ${WORKLOADS.map(({ name }) => name).join(' ')}
  --connections a,b   numbers of client connections (64,512)
  --rounds N          rounds, 1 to 1,000 (${STAGES.map(({ name, rounds }) => `${name} ${rounds}`).join(', ')})
  --requests N        measured requests in a round, instead of the workload's own number
  --quick             small GET, 64 connections, 20 rounds, unless said otherwise
  --[no-]write        write docs/benchmarks.md; on by default when nothing is left out
  --no-build          measure dist/ as it is
  --assert            exit 1 when a bar is not kept
`;

export interface Options {
  readonly stages: readonly Stage[];
  readonly workloads: readonly Workload[];
  readonly scenarios: readonly Scenario[];
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
      stages: { type: 'string' },
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
  const asked = values.rounds ?? (quick ? '20' : undefined);
  const rounds = asked === undefined ? undefined : wholeNumber(asked, '--rounds', 1000);
  const narrowed = [
    values.stages,
    values.subjects,
    values.workloads,
    values.connections,
    values.requests,
    values.rounds,
  ];
  return {
    stages: chosen(named(STAGES, values.stages, '--stages'), values.subjects, rounds),
    workloads,
    scenarios: connections.flatMap((count) =>
      workloads.map((workload) => ({ workload, connections: count })),
    ),
    write: values.write ?? (!quick && narrowed.every((value) => value === undefined)),
    build: values.build,
    assert: values.assert,
  };
}

/** The stages with the subjects that were asked for, and those they are compared with. */
function chosen(
  stages: readonly Stage[],
  list: string | undefined,
  rounds: number | undefined,
): readonly Stage[] {
  const all = stages.flatMap(({ subjects }) => subjects);
  const names = new Set(named(all, list, '--subjects').map(({ name }) => name));
  return stages.flatMap((stage) => {
    const asked = stage.subjects.filter(({ name }) => names.has(name));
    if (asked.length === 0) return [];
    const needed = new Set([stage.yardstick, ...asked.flatMap(({ name, addsTo = name }) => [name, addsTo])]);
    const subjects = stage.subjects.filter(({ name }) => needed.has(name));
    return [{ ...stage, subjects, rounds: rounds ?? stage.rounds }];
  });
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
