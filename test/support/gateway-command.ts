import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** By its address: it is not to be found from the working directory of the process. */
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** What came of a gateway that was started as users start it. */
export interface GatewayCommand {
  /** Where it listens; undefined when it ended instead. */
  readonly port: number | undefined;
  /** What it has written to standard error so far. */
  readonly stderr: () => string;
  /** Its exit code, after SIGTERM where it is still running. */
  stop(): Promise<number | null>;
}

/**
 * Runs `gateway start` with these arguments, in a process and an empty working directory of its own, until it listens
 * or ends. The port is any free one, unless `env` says otherwise.
 *
 * @param env beside the variables of this process
 */
export async function startGatewayCommand(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<GatewayCommand> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-command-'));
  const child = spawn(process.execPath, ['--import', tsx, join(root, 'core/cli/main.ts'), 'start', ...args], {
    cwd: directory,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const exited = once(child, 'close').then(() => rm(directory, { recursive: true, force: true }));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const port = await new Promise<number | undefined>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const listening = /"port":(\d+).*"The gateway is listening"/.exec(stdout);
      if (listening) resolve(Number(listening[1]));
    });
    void exited.then(() => resolve(undefined));
  });
  return {
    port,
    stderr: () => stderr,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      return child.exitCode;
    },
  };
}
