import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RawConfig } from './gateway.js';

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly port: number;
  /** Resident memory, in bytes. */
  memory(): Promise<number>;
  stop(): Promise<void>;
  /** Ends it at once, in the middle of whatever it does (SIGKILL). */
  kill(): Promise<void>;
}

/** Starts a gateway in a child process. */
export async function startGatewayProcess(config: RawConfig): Promise<GatewayProcess> {
  const script = fileURLToPath(new URL('./gateway-child.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(config)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const port = await numberFrom(child, 'port');
    return {
      port,
      memory() {
        child.send('memory');
        return numberFrom(child, 'rss');
      },
      async stop() {
        const exited = once(child, 'exit');
        child.send('stop');
        await exited;
      },
      async kill() {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}

/** The next message with this field. Rejects when the process ends instead. */
function numberFrom(child: ChildProcess, field: 'port' | 'rss'): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      outcome();
    };
    const onMessage = (message: unknown) => {
      const { [field]: value } = { [field]: undefined, ...(typeof message === 'object' ? message : {}) };
      if (typeof value === 'number') settle(() => resolve(value));
    };
    const onExit = (code: number | null) =>
      settle(() => reject(new Error(`The gateway process ended with ${code}`)));
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}
