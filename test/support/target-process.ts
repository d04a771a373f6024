import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A target in a process of its own, which can be killed and started again on the same port. */
export class TargetProcess {
  #child: ChildProcess | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What it answers with. */
  get name(): string {
    return String(this.#child?.pid);
  }

  /** Resolves when it listens: on the port of the time before, where there was one. */
  async start(): Promise<void> {
    const script = fileURLToPath(new URL('./target-child.ts', import.meta.url));
    const child = fork(script, [String(this.#port)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`The target ended with ${code}`);
    });
    exited.catch(() => undefined);
    const [message]: unknown[] = await Promise.race([once(child, 'message'), exited]);
    if (typeof message !== 'object' || message === null || !('port' in message)) {
      throw new Error('The target does not say where it listens');
    }
    this.#port = Number(message.port);
  }

  /** Ends it at once, in the middle of whatever it does (SIGKILL). */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}
