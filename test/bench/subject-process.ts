import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuMicroseconds } from './cpu.js';
import type { Subject } from './subjects.js';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;
const CPU_LIMIT_MS = 10_000;

const CPU_METER = fileURLToPath(new URL('./cpu-meter.mjs', import.meta.url));

export interface Surroundings {
  /** Origin of the upstream; empty for the upstream itself. */
  readonly upstream: string;
  /** Where the subject's directory with its configuration and log is made. */
  readonly directory: string;
  readonly core: number | undefined;
}

/** A subject that runs and answers. */
export class SubjectProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #isNode: boolean;

  readonly #kill = () => void this.#child.kill('SIGKILL');

  private constructor(child: ChildProcess, pid: number, port: number, isNode: boolean) {
    this.#child = child;
    this.#pid = pid;
    this.#isNode = isNode;
    this.port = port;
    process.once('exit', this.#kill);
  }

  /**
   * Starts a subject in a process of its own and waits until it answers.
   *
   * @throws Error with the end of its output when it ends or does not answer within 60 s
   */
  static async start(subject: Subject, surroundings: Surroundings): Promise<SubjectProcess> {
    const directory = path.join(surroundings.directory, subject.name);
    mkdirSync(directory, { recursive: true });
    const port = await freePort();
    const { upstream, core } = surroundings;
    const [command, ...args] = subject.command({ port, upstream, directory });
    const isNode = command === process.execPath;
    const pin = core === undefined ? [] : ['taskset', '--cpu-list', String(core)];
    const meter = isNode ? ['--import', CPU_METER] : [];
    const [executable = command, ...rest] = [...pin, command, ...meter, ...args];

    const log = path.join(directory, 'output.log');
    const output = openSync(log, 'w');
    const child = spawn(executable, rest, {
      cwd: directory,
      env: { ...process.env, NODE_ENV: 'production', PORT: String(port), UPSTREAM: upstream },
      stdio: ['ignore', output, output, ...(isNode ? ['ipc' as const] : [])],
    });
    closeSync(output);
    let ended = false;
    child.once('exit', () => {
      ended = true;
    });
    child.once('error', () => {
      ended = true;
    });

    const running = new SubjectProcess(child, child.pid ?? 0, port, isNode);
    const url = `http://127.0.0.1:${port}/api/v1/${subject.services[0]}/small`;
    const deadline = Date.now() + START_LIMIT_MS;
    while (!ended && Date.now() < deadline) {
      if (await answers(url, subject.headers)) return running;
      await sleep(50);
    }
    const reason = ended ? 'ended' : `did not answer ${url} with 200`;
    await running.stop();
    throw new Error(`${subject.name} ${reason}. Its output: ${readFileSync(log, 'utf8').slice(-1000)}`);
  }

  /**
   * CPU time so far, user and system, of all threads, in microseconds.
   *
   * @throws Error when the process does not tell within 10 s
   */
  async cpu(): Promise<number> {
    if (!this.#isNode) return cpuMicroseconds(this.#pid);
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(CPU_LIMIT_MS) });
    this.#child.send('cpu');
    const [{ user, system }] = (await answer) as [NodeJS.CpuUsage];
    return user + system;
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    if (this.#pid === 0 || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGTERM');
    const patience = setTimeout(this.#kill, STOP_LIMIT_MS);
    await exited;
    clearTimeout(patience);
  }
}

async function answers(url: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
