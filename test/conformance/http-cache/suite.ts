import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startGatewayCommand } from '../../support/gateway-command.js';
import { corrected } from './corrections.js';

/** One test of the suite; what is needed of it here. */
export interface SuiteTest {
  readonly id: string;
  readonly name: string;
  /** `required` where it is absent. */
  kind?: 'required' | 'optimal' | 'check';
  readonly depends_on?: readonly string[];
  readonly browser_only?: boolean;
  readonly requests: SuiteRequest[];
}

/** A request of a test, and what it is to get. */
interface SuiteRequest {
  expected_type?: string;
  expected_status?: number;
  expected_response_headers_missing?: string[];
  check_body?: boolean;
}

/** What came of a test: true, or the kind of failure and its message. */
type Outcome = true | readonly [string, string];

/** What came of all tests, by id. */
export type Outcomes = Readonly<Record<string, Outcome>>;

/** A suite that has been run. */
export interface SuiteRun {
  readonly tests: readonly SuiteTest[];
  readonly outcomes: Outcomes;
}

/** What the suite is run with: all that the standard lets be stored is, and nothing for want of a word of the upstream. */
export const SUITE_OPTIONS = { statuses: [], undeclared: 'heuristic', ttl: '1d', storeSetCookie: true };

/** Tests that are run at a time: all. They wait for most of their time. */
const AT_A_TIME = 1000;

const HERE = fileURLToPath(new URL('./', import.meta.url));

/** Where npm puts the suite. */
export const PACKAGE = join(HERE, 'node_modules', 'http-cache-tests');

/** Installs the suite, unless it is there. */
export async function installSuite(): Promise<void> {
  if (existsSync(join(PACKAGE, 'package.json'))) return;
  const npm = spawn('npm', ['ci', '--prefix', HERE, '--ignore-scripts', '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve, reject) => npm.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error('The test suite for HTTP caches could not be installed: see npm above');
}

/**
 * Runs the suite against a gateway in a process of its own, whose upstream is the suite's server.
 *
 * @param directory of the suite
 * @param options of the plugin `response-cache`
 */
export async function runSuite(directory: string, options: object): Promise<SuiteRun> {
  const scratch = await mkdtemp(join(tmpdir(), 'http-cache-suite-'));
  const port = await freePort();
  const server = spawn(process.execPath, ['server/server.mjs'], {
    cwd: directory,
    env: {
      ...process.env,
      npm_config_protocol: 'http',
      npm_config_port: String(port),
      npm_config_pidfile: join(scratch, 'server.pid'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await listening(server);
    const config = join(scratch, 'gatewayrc.json');
    await writeFile(config, JSON.stringify(configuration(port, options)));
    const gateway = await startGatewayCommand(['--config', config]);
    if (gateway.port === undefined) throw new Error(`The gateway did not start: ${gateway.stderr()}`);
    try {
      return await runTests(directory, `http://127.0.0.1:${gateway.port}`);
    } finally {
      await gateway.stop();
    }
  } finally {
    server.kill();
    await rm(scratch, { recursive: true, force: true });
  }
}

function configuration(port: number, options: object): object {
  return {
    host: '127.0.0.1',
    port: 0,
    services: { suite: { targets: [`http://127.0.0.1:${port}`], health: false } },
    routes: [{ id: 'suite', match: { path: '/*' }, service: 'suite' }],
    plugins: [{ 'response-cache': options }],
  };
}

async function runTests(directory: string, base: string): Promise<SuiteRun> {
  const load = (file: string): Promise<Record<string, unknown>> =>
    import(pathToFileURL(join(directory, file)).href);
  const suites = (await load('tests/index.mjs')).default as { tests: SuiteTest[] }[];
  const runner = (await load('client/runner.mjs')) as {
    runTests(suites: unknown, fetch: unknown, browser: boolean, base: string, size: number): Promise<void>;
    getResults(): Outcomes;
  };
  for (const suite of suites) for (const test of suite.tests) corrected(test);
  const fetch: unknown = createRequire(join(directory, 'package.json'))('node-fetch');
  await runner.runTests(suites, fetch, false, base, AT_A_TIME);
  const tests = suites.flatMap((suite) => suite.tests).filter((test) => test.browser_only !== true);
  return { tests, outcomes: runner.getResults() };
}

function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`The server of the suite ended with ${code}`)));
    server.stdout?.on('data', (text) => {
      if (String(text).includes('Listening')) resolve();
    });
  });
}

/** The suite's server takes a number and no 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port is free');
  return address.port;
}
