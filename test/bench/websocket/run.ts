import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cores, chooseCores, pinSelf } from '../cpu.js';
import { facts } from '../facts.js';
import type { Series } from '../measure.js';
import { Results } from '../results.js';
import type { Stage } from '../stages.js';
import { SubjectProcess } from '../subject-process.js';
import { affordable, measureIdle } from './idle.js';
import { measureMessages } from './measure.js';
import { type Options, readOptions, USAGE } from './options.js';
import { type IdleResults, type IdleSeries, idleTable, messageBars, messageTables, page } from './report.js';
import { ECHO, YARDSTICK } from './subjects.js';
import { asWorkload } from './workloads.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = 'docs/benchmarks-websocket.md';

const say = (text: string) => void process.stdout.write(`${text}\n`);
const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (process.platform !== 'linux')
    throw new Error('CPU time is read from /proc: the benchmark runs on Linux only');
  if (options.build) build();
  for (const { name, missing } of options.subjects) {
    const reason = missing();
    if (reason !== undefined) throw new Error(`${name}: ${reason}`);
  }

  const cores = chooseCores();
  if (cores) pinSelf(cores.load);
  const directory = mkdtempSync(path.join(os.tmpdir(), 'gateway-ws-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // Each subject that runs listens for the end of this process.
  process.setMaxListeners(0);

  const results = options.rounds === 0 ? undefined : await runMessages(options, directory, cores);
  if (results) say(`\n${messageTables(results)}\n`);
  const idle = options.idle === 0 ? undefined : await runIdle(options, directory, cores);
  if (idle) say(`\n${idleTable(idle)}\n`);
  const judged = results ? messageBars(results) : [];
  for (const { kept, text } of judged) say(`${kept ? 'kept    ' : 'NOT KEPT'}  ${text}`);
  if (options.write) {
    const command = ['npm run bench:websocket', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
    const known = facts(
      args,
      `${options.rounds} rounds in ${options.starts} starts`,
      options.messages.map(asWorkload),
      cores,
    );
    writeFileSync(path.join(ROOT, PAGE), page(command, results, idle, judged, known, versions()));
    say(`Written to ${PAGE}.`);
  }
  const failed = [...(results?.all ?? []), ...(idle?.all ?? [])].some(({ failure }) => failure !== undefined);
  return failed || (options.assert && judged.some(({ kept }) => !kept)) ? 1 : 0;
}

/** Relays messages through all subjects, in several starts of them: what a compiler settles on differs between processes. */
async function runMessages(options: Options, directory: string, cores: Cores | undefined): Promise<Results> {
  const { rounds, starts, subjects, messages, connections } = options;
  const series: Series[] = messages.flatMap((workload) => {
    const scenario = { workload: asWorkload(workload), connections };
    return subjects.map((subject) => ({ subject, scenario, samples: [] }));
  });
  for (let start = 0; start < starts; start += 1) {
    const part = Math.floor(((start + 1) * rounds) / starts) - Math.floor((start * rounds) / starts);
    const own = path.join(directory, `start-${start}`);
    await runOneStart({ ...options, rounds: part }, own, cores, series, `start ${start + 1} of ${starts}`);
  }
  progress('');
  const stage: Stage = {
    name: 'gateways',
    title: 'What it costs to relay a message',
    subjects,
    yardstick: YARDSTICK,
    rounds,
    starts,
    covers: () => true,
  };
  return new Results(stage, series);
}

/** Runs all subjects side by side for some rounds, and adds to the series. */
async function runOneStart(
  { rounds, subjects, messages }: Options,
  directory: string,
  cores: Cores | undefined,
  series: readonly Series[],
  title: string,
): Promise<void> {
  const processes: SubjectProcess[] = [];
  const start = async (...[subject, surroundings]: Parameters<typeof SubjectProcess.start>) => {
    const process = await SubjectProcess.start(subject, surroundings);
    processes.push(process);
    return process;
  };
  try {
    progress(`${title}: starting`);
    const echo = await start(ECHO, { upstream: '', directory, core: cores?.upstream });
    const surroundings = { upstream: `http://127.0.0.1:${echo.port}`, directory, core: cores?.subject };
    const running = new Map<string, SubjectProcess>();
    for (const subject of subjects) running.set(subject.name, await start(subject, surroundings));
    for (const workload of messages) {
      const some = series.filter(({ scenario }) => scenario.workload.name === workload.name);
      await measureMessages(running, some, workload, rounds, (text) => progress(`${title}, ${text}`));
    }
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

/** Holds idle connections through one subject after another. */
async function runIdle(options: Options, directory: string, cores: Cores | undefined): Promise<IdleResults> {
  const connections = affordable(options.idle);
  const all = options.subjects.map((subject): IdleSeries => ({ subject, rounds: [], failure: undefined }));
  for (let round = 0; round < options.idleRounds; round += 1) {
    for (const series of all) {
      if (series.failure !== undefined) continue;
      progress(`${connections} idle connections, round ${round + 1}: ${series.subject.title}`);
      const own = path.join(directory, `idle-${round}-${series.subject.name}`);
      try {
        series.rounds.push(await measureIdle(series.subject, connections, own, cores));
      } catch (error) {
        series.failure = error instanceof Error ? error.message : String(error);
      }
    }
  }
  progress('');
  return { connections, wanted: options.idle, all };
}

function build(): void {
  const run = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (run.status !== 0) throw new Error('npm run build failed; --no-build measures dist/ as it is');
}

/** Of what the subjects are made of, as they find it. */
function versions(): readonly (readonly [string, string])[] {
  const require = createRequire(import.meta.url);
  return ['ws', 'http-proxy'].map((name) => {
    const manifest: unknown = JSON.parse(readFileSync(manifestOf(require, name), 'utf8'));
    const { version } = { version: undefined, ...(typeof manifest === 'object' ? manifest : {}) };
    return [name, String(version)] as const;
  });
}

function manifestOf(require: NodeJS.Require, name: string): string {
  const found = require.resolve
    .paths(name)
    ?.map((directory) => path.join(directory, name, 'package.json'))
    .find((file) => {
      try {
        readFileSync(file);
        return true;
      } catch {
        return false;
      }
    });
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

// `exit` listeners end the subjects, which would outlive a killed benchmark.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
