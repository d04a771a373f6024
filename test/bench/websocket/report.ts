import type { Bar } from '../bars.js';
import type { Facts } from '../facts.js';
import { tables } from '../report.js';
import type { Results } from '../results.js';
import type { Subject } from '../subjects.js';
import type { IdleMemory } from './idle.js';
import { MANAGED, YARDSTICK } from './subjects.js';

const MOST_TO_YARDSTICK = 1.3;

/** The memory of a subject with idle connections, a figure per round; or why there is none. */
export interface IdleSeries {
  readonly subject: Subject;
  readonly rounds: IdleMemory[];
  failure: string | undefined;
}

/** What was measured with idle connections. */
export interface IdleResults {
  readonly connections: number;
  /** How many were asked for. */
  readonly wanted: number;
  readonly all: readonly IdleSeries[];
}

/** The tables of messages, in the words of WebSockets. */
export function messageTables(results: Results): string {
  return tables(results).replaceAll('per request', 'per message').replaceAll('requests per', 'messages per');
}

/** The table of idle connections. */
export function idleTable({ connections, wanted, all }: IdleResults): string {
  const fewer =
    connections < wanted
      ? ` ${wanted.toLocaleString('en')} were asked for; a process may have no more files open here, and each connection takes two.`
      : '';
  const rows = all.map(({ subject: { title }, rounds, failure }) =>
    failure === undefined
      ? `| ${title} | ${median(rounds.map(({ rss }) => rss))} | ${median(rounds.map(({ heap }) => heap))} |`
      : `| ${title} | failed: ${failure} | |`,
  );
  return [
    '## What an idle connection costs',
    `Bytes that each of ${connections.toLocaleString('en')} idle connections adds to one process, its two sockets together.${fewer}`,
    ['| subject | resident memory | heap and external |', '|---|---:|---:|', ...rows].join('\n'),
  ].join('\n\n');
}

function median(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0).toLocaleString('en');
}

/** What is to be kept, of what was measured. */
export function messageBars(results: Results): readonly Bar[] {
  return results.scenarios.flatMap((scenario) => {
    const ratio = results.ratio(MANAGED, YARDSTICK, scenario)?.median;
    if (ratio === undefined) return [];
    const { workload, connections } = scenario;
    const text = `managed at most ${MOST_TO_YARDSTICK} × ws piped to ws (${workload.title}, ${connections} connections): ${ratio.toFixed(3)}`;
    return [{ text, kept: ratio <= MOST_TO_YARDSTICK }];
  });
}

/** The page docs/benchmarks-websocket.md. */
export function page(
  command: string,
  results: Results | undefined,
  idle: IdleResults | undefined,
  judged: readonly Bar[],
  facts: Facts,
  versions: readonly (readonly [string, string])[],
): string {
  return `# Benchmarks of WebSockets

Written by \`npm run bench:websocket\`; do not edit. Last run: \`${command}\`, ${facts.date}.

${[results && messageTables(results), idle && idleTable(idle)].filter(Boolean).join('\n\n')}

## What is to be kept

${judged.map(({ text, kept }) => `- ${kept ? 'kept' : '**not kept**'}: ${text}`).join('\n')}

## How it is measured

One echo server (\`test/bench/websocket/subjects/echo.mjs\`), one process per subject, one load generator. Each connection
has one message under way, which goes through the subject, comes back and goes through it again: two messages. The rounds
are interleaved (A B C, B C A, ...), each after a warm-up; a cell is the median over ${facts.rounds}, since processes of
one program settle differently. CPU is the user
and system time of all threads of the subject, from /proc. The yardstick, \`test/bench/websocket/subjects/ws-pipe.mjs\`,
hands messages from one \`ws\` socket to another, with back pressure and closes; a ratio compares a subject with it in the
same round. The gateway runs as built by \`npm run build\`, with health checks off, logging at WARNING and ws-proxy as its
only plugin. Messages measured per round: ${facts.requests}. ${facts.pinning}

For memory every subject is started anew. 500 connections are opened and closed before the first figure; then the idle
ones are opened, and the second figure is taken 2 s later, both after a garbage collection. What the kernel keeps for
sockets is in none of them.

## On what

${facts.machine.map(([what, value]) => `- ${what}: ${value}`).join('\n')}

| program | version |
|---|---|
${versions.map(([program, version]) => `| ${program} | ${version} |`).join('\n')}
`;
}
