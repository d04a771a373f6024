import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { until } from '../../support/until.js';
import { folder } from '../loader/support.js';

const MAIN = fileURLToPath(new URL('../../../core/cli/main.ts', import.meta.url));
/** What plugins import from the gateway. */
const FACE = fileURLToPath(new URL('../../../core/index.js', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../../../tsconfig.json', import.meta.url));
const TSX = import.meta.resolve('tsx');

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

describe('the command line', () => {
  let path: string;
  let remove: () => Promise<void>;
  const children = new Set<ChildProcess>();
  before(async () => {
    ({ path, remove } = await folder({
      'good.yaml': [
        'host: 127.0.0.1',
        'port: 0',
        'services:',
        '  files: { targets: [http://localhost:1, { url: http://localhost:2, weight: 3 }], health: false }',
        'routes: [{ id: own, match: { path: /q/:x, methods: [GET] }, service: files }]',
        'plugins: [./hello.mjs, { access-log: false }]',
      ].join('\n'),
      'bad.yaml': 'port: many\nservices: { a: { targtes: [] } }\nplugins: [acess-log]',
      'two-kinds.yaml':
        'port: many\nservices: { a: "http://a", b: http }\nplugins: [./missing.mjs, { auth-jwt: { secrt: x } }, { cors: { maxAge: long } }]',
      'weak.yaml': 'services: { a: "http://a" }\nplugins: [{ auth-jwt: { secret: your-secret-key } }]',
      'no-certificate.yaml': 'tls: { key: no.pem, cert: no.pem }',
      'no-ca.yaml': 'services: { a: { targets: ["https://a"], tls: { ca: no.pem } } }',
      'author.yaml': 'services: { a: "http://a" }\nplugins: [./author.ts]',
      'author.ts': `
        import { Type } from 'typebox';
        import { definePlugin } from ${JSON.stringify(FACE)};
        export default definePlugin({ name: 'author', summary: 'x', options: Type.Object({}), plugin: class {} });`,
      'unloadable.yaml': 'port: 0\nplugins: [./missing.mjs]',
      'failing.yaml': 'host: 127.0.0.1\nport: 0\nplugins: [./failing.mjs]',
      'hanging.yaml':
        'host: 127.0.0.1\nport: 0\nshutdown: { hookTimeout: 100ms }\nlogging: { pretty: false }\nplugins: [./hanging.mjs]',
      'hello.mjs': `export default { name: 'hello', summary: 'x', options: { type: 'object', properties: {} }, plugin: class {} };`,
      'failing.mjs': `export default { name: 'failing', summary: 'x', options: { type: 'object', properties: {} },
        plugin: class { hooks = { onStart() { throw new Error('no database'); } } } };`,
      'hanging.mjs': `export default { name: 'hanging', summary: 'x', options: { type: 'object', properties: {} },
        plugin: class { hooks = { onStop: () => new Promise(() => {}) } } };`,
    }));
  });
  after(() => remove());
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
  });

  function run(...args: string[]): { child: ChildProcess; out: () => string; ended: Promise<Ended> } {
    const child = spawn(process.execPath, ['--import', TSX, MAIN, ...args], {
      cwd: path,
      // The plugins that ship with the gateway are TypeScript here, which the working directory says nothing about.
      env: { ...process.env, TSX_TSCONFIG_PATH: TSCONFIG },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    let out = '';
    let err = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    const ended = once(child, 'close').then(([code]) => {
      children.delete(child);
      return { code: typeof code === 'number' ? code : null, out, err };
    });
    return { child, out: () => out, ended };
  }

  async function started(file: string) {
    const running = run('start', '--config', file);
    await until('the gateway to listen', () => running.out().includes('"port"'), 8000);
    const line =
      running
        .out()
        .split('\n')
        .find((each) => each.includes('"port"')) ?? '{}';
    const { port }: { port?: number } = JSON.parse(line);
    return { ...running, url: `http://127.0.0.1:${port}` };
  }

  const ROWS: readonly [args: string[], code: number, out: RegExp, err: RegExp][] = [
    [['--help'], 0, /Usage: gateway/, /^$/],
    [['start', '--help'], 0, /--config/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [[], 2, /^$/, /Usage: gateway/],
    [['strat'], 2, /^$/, /unknown command 'strat'/],
    [['check', '--nonsense'], 2, /^$/, /unknown option/],
    [
      ['check', '-c', 'good.yaml'],
      0,
      /plugins: +hello\n[\s\S]*files +http:\/\/localhost:1, http:\/\/localhost:2 \(weight 3\)[\s\S]*valid/,
      /^$/,
    ],
    [
      ['routes', '-c', 'good.yaml'],
      0,
      /own +GET +\/q\/:x +files +hello\nfiles +\* +\/api\/v1\/files\/\*\*/,
      /^$/,
    ],
    [
      ['plugins', '-c', 'good.yaml'],
      0,
      /1\. +hello +\.\/hello\.mjs +on\n2\. +access-log +access-log +off/,
      /^$/,
    ],
    [['check', '-c', 'missing.yaml'], 2, /^$/, /missing\.yaml/],
    [['check', '-c', 'bad.yaml'], 2, /^$/, /port: [\s\S]*targtes[\s\S]*did you mean[\s\S]*plugins\[0\]/],
    [['start', '-c', 'bad.yaml'], 2, /^$/, /port: /],
    ...['check', 'start'].map(
      (command) =>
        [
          [command, '-c', 'two-kinds.yaml'],
          2,
          /^$/,
          /port: [\s\S]*services\.b: [\s\S]*plugins\[0\]: [\s\S]*auth-jwt\.secrt: [\s\S]*"secret"\?\n[\s\S]*cors\.maxAge: /,
        ] as [string[], number, RegExp, RegExp],
    ),
    [['check', '-c', 'author.yaml'], 0, /plugins: +author\n/, /^$/],
    [['check', '-c', 'weak.yaml'], 2, /^$/, /weak\.yaml: plugins\[0\].*placeholder[\s\S]*randomBytes/],
    [
      ['check', '-c', 'no-certificate.yaml'],
      2,
      /^$/,
      /tls\.key: found the file 'no\.pem', which cannot be read/,
    ],
    [
      ['start', '-c', 'no-certificate.yaml'],
      2,
      /./,
      /tls\.key: found the file 'no\.pem', which cannot be read/,
    ],
    [
      ['check', '-c', 'no-ca.yaml'],
      2,
      /^$/,
      /services\.a\.tls\.ca: found the file '.*no\.pem', which cannot/,
    ],
    [
      ['start', '-c', 'unloadable.yaml'],
      2,
      /./,
      /plugins\[0\]: found '\.\/missing\.mjs', which cannot be loaded/,
    ],
    [['start', '-c', 'failing.yaml'], 1, /./, /^The plugin failing failed in onStart: no database\n$/],
  ];
  for (const [args, code, out, err] of ROWS) {
    it(`gateway ${args.join(' ')} ends with ${code}`, async () => {
      const ended = await run(...args).ended;
      expect(ended.err)
        .to.match(err)
        .and.not.match(/^\s+at /m);
      expect(ended.out).to.match(out);
      expect(ended.code).to.equal(code);
    });
  }

  it('SIGTERM lets a request under way end, takes no new ones, and ends with 0', async () => {
    let answer = () => {};
    const upstream = createServer((_req, res) => {
      answer = () => res.end('late');
    });
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = upstream.address() as AddressInfo;
      await writeFile(
        join(path, 'drain.yaml'),
        `{ host: 127.0.0.1, port: 0, logging: { pretty: false }, services: { a: { port: ${port}, host: 127.0.0.1, health: false } } }`,
      );
      const { url, child, ended, out } = await started('drain.yaml');
      let asked = false;
      upstream.once('request', () => {
        asked = true;
      });
      const response = fetch(`${url}/api/v1/a/x`);
      await until('the request to arrive', () => asked);
      child.kill('SIGTERM');
      await until('the drain to begin', () => out().includes('Draining'));
      await until('the port to be closed', () =>
        fetch(`${url}/health`).then(
          () => false,
          () => true,
        ),
      );
      answer();
      expect(await (await response).text()).to.equal('late');
      expect((await ended).code).to.equal(0);
    } finally {
      upstream.close();
      upstream.closeAllConnections();
    }
  });

  it('ends with 0 also when a hook hangs and nothing else is left to do', async () => {
    const { child, ended } = await started('hanging.yaml');
    child.kill('SIGINT');
    const { code, err } = await ended;
    expect(err).to.equal('');
    expect(code).to.equal(0);
  });

  it('SIGHUP takes a new configuration into use, and refuses a wrong one', async () => {
    const file = join(path, 'reload.yaml');
    const configuration = (services: string) =>
      `{ host: 127.0.0.1, port: 0, logging: { pretty: false }, services: { ${services} } }`;
    await writeFile(file, configuration('a: { port: 1, health: false }'));
    const { url, child, ended, out } = await started('reload.yaml');
    const count = async () => {
      const body: { total?: number } = (await (
        await fetch(`${url}/api/v1/gateway/services`)
      ).json()) as object;
      return body.total;
    };
    expect(await count()).to.equal(1);
    await writeFile(file, configuration('a: { port: 1, health: false }, b: { port: 2, health: false }'));
    child.kill('SIGHUP');
    await until('the second service', async () => (await count()) === 2);
    await writeFile(file, configuration('a: { prot: 1 }'));
    child.kill('SIGHUP');
    await until('the refusal', () => out().includes('The configuration was not reloaded'));
    expect(out()).to.contain('did you mean');
    expect(await count()).to.equal(2);
    child.kill('SIGTERM');
    expect((await ended).code).to.equal(0);
  });
});
