import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { until } from '../support/until.js';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../../config/examples/demo/demo.ts', import.meta.url));

/** The demo as a child process, with what it has written so far. */
interface Demo {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  stdout: string;
  stderr: string;
}

describe('npm run demo', () => {
  const ports = { DEMO_GATEWAY_PORT: '0', DEMO_MARKET_DATA_PORT: '0', DEMO_DATA_STORAGE_PORT: '0' };
  let dataDirectory: string;
  let demo: Demo | undefined;

  beforeEach(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), 'demo-test-'));
  });

  afterEach(async () => {
    demo?.child.kill('SIGKILL');
    await demo?.exited;
    demo = undefined;
    await rm(dataDirectory, { recursive: true, force: true });
  });

  const start = (env: Record<string, string>): Demo => {
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      env: { ...process.env, DEMO_DATA_DIRECTORY: dataDirectory, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started: Demo = { child, exited: once(child, 'exit'), stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      started.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      started.stderr += text;
    });
    demo = started;
    return started;
  };

  it('prints commands that work, and stops on Ctrl-C', async () => {
    const { child, exited } = start(ports);
    await until('the commands', () => demo?.stdout.includes('Ctrl-C stops the demo.') === true, 9000);
    const commands = demo?.stdout.split('\n').filter((line) => line.startsWith('  curl ')) ?? [];
    const [quote = '', stream = '', status = ''] = commands.map((line) => line.trim());
    expect(commands).to.have.lengthOf(3);

    const answer = await run('sh', ['-c', quote]);
    expect(answer.stdout).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.stdout).to.match(/^x-greeting: Hello from the demo\r$/im);
    expect(answer.stdout).to.match(/^x-gateway-service: market-data-collector\r$/im);
    expect(answer.stdout).to.include('"symbol":"BTC-USD"');

    // `exec`, so that the signal reaches curl and not the shell around it.
    const events = spawn('sh', ['-c', `exec ${stream}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    let received = '';
    events.stdout.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    try {
      await until('two events, one after the other', () => received.includes('id: 2\n'), 5000);
    } finally {
      events.kill();
    }
    expect(received).to.include('event: quote\n');

    const webSocket =
      demo?.stdout
        .split('\n')
        .find((line) => line.startsWith('  node -e '))
        ?.trim() ?? '';
    const quotes = spawn('sh', ['-c', `exec ${webSocket}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    let quoted = '';
    quotes.stdout.setEncoding('utf8').on('data', (text: string) => {
      quoted += text;
    });
    try {
      await until(
        'two quotes, one after the other',
        () => quoted.split('"symbol":"BTC-USD"').length > 2,
        5000,
      );
    } finally {
      quotes.kill();
    }

    const report: unknown = JSON.parse((await run('sh', ['-c', status])).stdout);
    expect(report).to.include({ service: 'api-gateway', status: 'running', registered_services: 2 });

    child.kill('SIGINT');
    expect(await exited).to.deep.equal([0, null]);
  }).timeout(20_000);

  it('says which port is taken', async () => {
    const taken = await listen();
    try {
      const { port } = taken;
      const { exited } = start({ ...ports, DEMO_GATEWAY_PORT: String(port) });
      expect(await exited).to.deep.equal([1, null]);
      await until('the message', () => demo?.stderr.includes(`Port ${port} is taken.`) === true);
    } finally {
      taken.server.close();
    }
  });
});

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('There is no TCP address');
  return { server, port: address.port };
}
