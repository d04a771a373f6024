import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line));
}

const pathsOf = (file: string) => linesOf(readFileSync(file, 'utf8')).map(({ path }) => String(path));

describe('the access log of a gateway in a process of its own', function () {
  this.timeout(20_000);
  let upstream: Upstream;
  let folder: string;
  let child: ChildProcess;
  let stdout: string;

  beforeEach(async () => {
    upstream = await startUpstream();
    folder = mkdtempSync(join(tmpdir(), 'access-log-e2e-'));
    stdout = '';
  });

  afterEach(async () => {
    child.kill('SIGKILL');
    await upstream.close();
    rmSync(folder, { recursive: true });
  });

  const configuration = (options: object) =>
    JSON.stringify({
      host: '127.0.0.1',
      port: 0,
      services: { demo: { targets: [upstream.url], health: false } },
      plugins: [{ 'access-log': options }],
    });

  async function start(options: object): Promise<string> {
    writeFileSync(join(folder, 'gateway.json'), configuration(options));
    child = spawn(
      process.execPath,
      ['--import', tsx, join(root, 'core/cli/main.ts'), 'start', '-c', 'gateway.json'],
      {
        cwd: folder,
        env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    await until('the gateway', () => stdout.includes('The gateway is listening'), 15_000);
    const port = linesOf(stdout).find(({ message }) => message === 'The gateway is listening')?.port;
    return `http://127.0.0.1:${port}/api/v1/demo/echo`;
  }

  async function stop(): Promise<number | null> {
    child.kill('SIGTERM');
    await once(child, 'close');
    return child.exitCode;
  }

  it('loses no line that was logged before SIGTERM', async () => {
    const url = await start({});
    for (let i = 0; i < 40; i++)
      await Promise.all(Array.from({ length: 5 }, (_, j) => fetch(`${url}/${i * 5 + j}`)));
    expect(await stop()).to.equal(0);
    const logged = linesOf(stdout).filter(({ plugin }) => plugin === 'access-log');
    expect(logged).to.have.length(200);
    expect(new Set(logged.map(({ path }) => path)).size).to.equal(200);
  });

  it('follows logrotate on SIGHUP, also where the configuration is wrong by then', async () => {
    const url = await start({ file: 'access.log' });
    const file = join(folder, 'access.log');
    await fetch(`${url}/1`);
    await until('the first line', () => readFileSync(file, 'utf8') !== '');
    renameSync(file, `${file}.1`);
    child.kill('SIGHUP');
    await until('the reload', () => stdout.includes('The configuration was reloaded'));
    await fetch(`${url}/2`);
    await until('the second line', () => readFileSync(file, 'utf8') !== '');
    renameSync(file, `${file}.2`);
    writeFileSync(join(folder, 'gateway.json'), '{ "port": "many" }');
    child.kill('SIGHUP');
    await until('the refusal', () => stdout.includes('The configuration was not reloaded'));
    await fetch(`${url}/3`);
    expect(await stop()).to.equal(0);
    expect(pathsOf(`${file}.1`)).to.deep.equal(['/api/v1/demo/echo/1']);
    expect(pathsOf(`${file}.2`)).to.deep.equal(['/api/v1/demo/echo/2']);
    expect(pathsOf(file)).to.deep.equal(['/api/v1/demo/echo/3']);
  });

  it('serves on, and ends, although nobody reads its standard output', async () => {
    const url = await start({});
    child.stdout?.pause();
    // Some 700 KB of lines: more than a pipe and its reader hold.
    for (let i = 0; i < 100; i++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(`${url}/${'x'.repeat(200)}`)));
      expect(answers.map(({ status }) => status)).to.deep.equal(Array.from({ length: 10 }, () => 200));
    }
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(child.exitCode).to.equal(0);
  });
});
