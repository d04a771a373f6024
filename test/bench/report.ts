import type { Bar } from './bars.js';
import type { Facts } from './facts.js';
import type { Results, Spread } from './results.js';
import type { Subject } from './subjects.js';
import type { Scenario } from './workloads.js';

/** The tables of a stage, as Markdown that also reads well on a terminal. */
export function tables(results: Results): string {
  const { stage, scenarios } = results;
  const subjects = [...new Set(results.all.map((series) => series.subject))];
  const heads = scenarios.map(({ workload, connections }) => `${workload.title} × ${connections}`);
  const rows = (cell: (subject: Subject, scenario: Scenario) => string, some = subjects) =>
    some.map((subject) => [subject.title, ...scenarios.map((scenario) => cell(subject, scenario))]);
  const yardstick = subjects.find(({ name }) => name === stage.yardstick)?.title ?? stage.yardstick;

  const parts = [`## ${stage.title}`];
  const adding = subjects.filter((subject) => subject.addsTo !== undefined);
  if (adding.length > 0) {
    parts.push(
      'What it adds to the gateway without it, in CPU microseconds per request, by the difference within each round: median (where the median lies with 95 % confidence).',
      table(
        ['subject', ...heads],
        rows(({ name, addsTo = '' }, scenario) => {
          const added = results.compared(name, addsTo, scenario, (cpu, without) => cpu - without);
          return added ? `${added.median.toFixed(1)} (${added.from.toFixed(1)}–${added.to.toFixed(1)})` : '-';
        }, adding),
      ),
    );
  }
  parts.push(
    `CPU per request as a ratio to "${yardstick}" in the same round: median (middle half of the rounds).`,
    table(
      ['subject', ...heads],
      rows(({ name }, scenario) => withRange(results.ratio(name, stage.yardstick, scenario), 2)),
    ),
    'CPU microseconds per request and requests per second, medians.',
    table(
      ['subject', ...heads],
      rows(({ name }, scenario) => absolute(results, name, scenario)),
    ),
  );
  const failures = results.all.flatMap(({ subject, scenario, failure }) =>
    failure === undefined
      ? []
      : [`- ${subject.title}, ${scenario.workload.title} × ${scenario.connections}: ${failure}`],
  );
  if (failures.length > 0) parts.push('Failed:', failures.join('\n'));
  return parts.join('\n\n');
}

function absolute(results: Results, name: string, scenario: Scenario): string {
  const cpu = results.figure(name, scenario, 'cpu');
  const rate = results.figure(name, scenario, 'requestsPerSecond');
  return cpu && rate ? `${cpu.median.toFixed(0)} µs, ${Math.round(rate.median).toLocaleString('en')}/s` : '-';
}

function withRange(spread: Spread | undefined, digits: number): string {
  if (!spread) return '-';
  const [median, low, high] = [spread.median, spread.low, spread.high].map((value) => value.toFixed(digits));
  return `${median} (${low}–${high})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** The page docs/benchmarks.md. */
export function page(stages: readonly Results[], judged: readonly Bar[], facts: Facts): string {
  return `# Benchmarks

Written by \`npm run bench\`; do not edit. Last run: \`${facts.command}\`, ${facts.date}.

${stages.map(tables).join('\n\n')}

## What is to be kept

${judged.map(({ text, kept }) => `- ${kept ? 'kept' : '**not kept**'}: ${text}`).join('\n')}

## How it is measured

One upstream process with fixed answers (\`test/bench/subjects/direct.mjs\`), one process per subject, one load
generator. Requests run over kept-alive connections to 127.0.0.1, each with one request under way at a time; every
response's status and body length are checked. The rounds are interleaved (A B C, B C A, ...), each after a warm-up; a
cell is the median over all rounds: ${facts.rounds}. All processes are started anew several times, since what the compiler
and the collector make of the same code differs from one start to the next. CPU is the user and system time of all threads
and processes of the subject: on Node.js as the process itself tells it, to the microsecond; of nginx and HAProxy from
/proc, in steps of 10 ms. The yardstick, \`test/bench/subjects/yardstick.mjs\`, hands raw headers and chunks from an undici
pool straight to the response; a ratio compares a subject with the yardstick in the same round. The gateway runs as
built by \`npm run build\`, with health checks off and logging at WARNING; with 10 and with 10,000 services requests go
round over ten of them. Requests per second of a subject that costs less than the upstream are limited by the upstream.

Requests measured per round: ${facts.requests}. The rounds are short because the speed of
a shared machine drifts within tenths of a second. ${facts.pinning}

## On what

${facts.machine.map(([what, value]) => `- ${what}: ${value}`).join('\n')}

| program | version |
|---|---|
${facts.versions.map(([program, version]) => `| ${program} | ${version} |`).join('\n')}
`;
}
