import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bars } from './bars.js';
import { type Cores, chooseCores, pinSelf } from './cpu.js';
import { facts } from './facts.js';
import { measureScenario, type Running, type Series } from './measure.js';
import { type Options, readOptions, USAGE } from './options.js';
import { page, tables } from './report.js';
import { Results } from './results.js';
import type { Stage } from './stages.js';
import { SubjectProcess } from './subject-process.js';
import { UPSTREAM } from './subjects.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const say = (text: string) => void process.stdout.write(`${text}\n`);
const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (process.platform !== 'linux')
    throw new Error('CPU time is read from /proc: the benchmark runs on Linux only');
  if (options.build) build();

  const cores = chooseCores();
  if (cores) pinSelf(cores.load);
  const directory = mkdtempSync(path.join(os.tmpdir(), 'gateway-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // Each subject that runs listens for the end of this process, and there may be many.
  process.setMaxListeners(0);
  const all: Results[] = [];
  for (const stage of options.stages) {
    const results = await runStage(stage, options, directory, cores);
    all.push(results);
    say(`\n${tables(results)}\n`);
  }
  const judged = bars(all);
  for (const { kept, text } of judged) say(`${kept ? 'kept    ' : 'NOT KEPT'}  ${text}`);
  if (options.write) {
    const rounds = options.stages
      .map(({ name, rounds, starts }) => `${rounds} (${name}, over ${starts} starts)`)
      .join(', ');
    const text = page(all, judged, facts(args, rounds, options.workloads, cores));
    writeFileSync(path.join(ROOT, 'docs', 'benchmarks.md'), text);
    say('Written to docs/benchmarks.md.');
  }
  return options.assert && judged.some(({ kept }) => !kept) ? 1 : 0;
}

/** Measures the subjects of one stage, which run for its time only. */
async function runStage(
  stage: Stage,
  options: Options,
  directory: string,
  cores: Cores | undefined,
): Promise<Results> {
  const all: Series[] = [];
  const starts = Math.min(stage.starts, stage.rounds);
  for (let start = 0; start < starts; start += 1) {
    const rounds = Math.ceil((stage.rounds - start) / starts);
    const place = path.join(directory, `${stage.name}-${start + 1}`);
    const say = (text: string) => progress(`${stage.name}, start ${start + 1} of ${starts}, ${text}`);
    for (const series of await runOnce(stage, rounds, options, place, cores, say)) {
      const before = all.find((each) => isSame(each, series));
      if (before === undefined) all.push(series);
      else if (series.failure === undefined) before.samples.push(...series.samples);
      else before.failure ??= series.failure;
    }
  }
  progress('');
  for (const series of all) if (series.failure !== undefined) series.samples.length = 0;
  return new Results(stage, all);
}

function isSame(one: Series, other: Series): boolean {
  return one.subject === other.subject && one.scenario === other.scenario;
}

/** Starts the subjects of a stage, measures them in some rounds of each scenario, and ends them. */
async function runOnce(
  stage: Stage,
  rounds: number,
  options: Options,
  directory: string,
  cores: Cores | undefined,
  say: (text: string) => void,
): Promise<Series[]> {
  const processes: SubjectProcess[] = [];
  try {
    const upstream = await SubjectProcess.start(UPSTREAM, {
      upstream: '',
      directory: path.join(directory, 'upstream'),
      core: cores?.upstream,
    });
    processes.push(upstream);
    const surroundings = { upstream: `http://127.0.0.1:${upstream.port}`, directory, core: cores?.subject };
    const running = await startAll(stage, surroundings, processes);
    const all: Series[] = [];
    for (const scenario of options.scenarios.filter((each) => stage.covers(each))) {
      const title = `${scenario.workload.title} × ${scenario.connections}`;
      all.push(...(await measureScenario(running, scenario, rounds, (text) => say(`${title}, ${text}`))));
    }
    return all;
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

function build(): void {
  const run = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (run.status !== 0) throw new Error('npm run build failed; --no-build measures dist/ as it is');
}

async function startAll(
  stage: Stage,
  surroundings: Parameters<typeof SubjectProcess.start>[1],
  processes: SubjectProcess[],
): Promise<Running[]> {
  const running: Running[] = [];
  for (const subject of stage.subjects) {
    const missing = subject.missing();
    if (missing !== undefined) {
      say(`Left out: ${subject.title} (${missing})`);
      continue;
    }
    progress(`starting ${subject.title}`);
    try {
      const process = await SubjectProcess.start(subject, surroundings);
      processes.push(process);
      running.push({ subject, process });
    } catch (error) {
      say(`Left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return running;
}

// `exit` listeners end the subjects, which would outlive a killed benchmark.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
