import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bars } from './bars.js';
import { chooseCores, pinSelf } from './cpu.js';
import { facts } from './facts.js';
import { measureScenario, type Running, type Series } from './measure.js';
import { type Options, readOptions, USAGE } from './options.js';
import { page, tables } from './report.js';
import { Results } from './results.js';
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
  if (options.build && options.subjects.some(({ kind }) => kind === 'gateway')) build();

  const cores = chooseCores();
  if (cores) pinSelf(cores.load);
  const directory = mkdtempSync(path.join(os.tmpdir(), 'gateway-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const processes: SubjectProcess[] = [];
  // Each subject that runs listens for the end of this process, and there may be many.
  process.setMaxListeners(0);
  try {
    const upstream = await SubjectProcess.start(UPSTREAM, {
      upstream: '',
      directory: path.join(directory, 'upstream'),
      core: cores?.upstream,
    });
    processes.push(upstream);
    const surroundings = { upstream: `http://127.0.0.1:${upstream.port}`, directory, core: cores?.subject };
    const running = await startAll(options, surroundings, processes);
    const results = new Results(await measureAll(options, running));

    say(`\n${tables(results)}\n`);
    if (options.write) {
      const text = page(results, facts(args, options.rounds, options.workloads, cores));
      writeFileSync(path.join(ROOT, 'docs', 'benchmarks.md'), text);
      say('Written to docs/benchmarks.md.');
    }
    return judge(results, options);
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

function build(): void {
  const run = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (run.status !== 0) throw new Error('npm run build failed; --no-build measures dist/ as it is');
}

async function startAll(
  options: Options,
  surroundings: Parameters<typeof SubjectProcess.start>[1],
  processes: SubjectProcess[],
): Promise<Running[]> {
  const running: Running[] = [];
  for (const subject of options.subjects) {
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

async function measureAll(options: Options, running: readonly Running[]): Promise<Series[]> {
  const all: Series[] = [];
  for (const scenario of options.scenarios) {
    const title = `${scenario.workload.title} × ${scenario.connections}`;
    all.push(
      ...(await measureScenario(running, scenario, options.rounds, (text) => progress(`${title}, ${text}`))),
    );
  }
  progress('');
  return all;
}

function judge(results: Results, options: Options): number {
  const measured = results.all.some(({ subject }) => subject.kind === 'gateway');
  if (!measured && !options.assert) return 0;
  const judged = bars(results);
  for (const { kept, text } of judged) say(`${kept ? 'kept    ' : 'NOT KEPT'}  ${text}`);
  return options.assert && judged.some(({ kept }) => !kept) ? 1 : 0;
}

// `exit` listeners end the subjects, which would outlive a killed benchmark.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
