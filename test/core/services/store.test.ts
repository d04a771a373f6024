import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { FileServiceStore } from '../../../core/services/store.js';
import { settingsOf } from './support.js';

describe('FileServiceStore', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it('loads what it saved, and nothing from a directory that is not there yet', async () => {
    const path = join(directory, 'made', 'here', 'services.json');
    expect(await new FileServiceStore(path).load()).to.deep.equal([]);
    const services = [
      { name: 'a', settings: settingsOf(['http://a:1', ['http://b:2', 7]]) },
      { name: 'b', settings: settingsOf(['https://b:1'], { tls: { ca: '/ca.pem', verify: false } }) },
      {
        name: 'c',
        settings: settingsOf(['http://c:1'], {
          outlierEjection: {},
          slowStart: {},
          concurrency: { limit: 1 },
        }),
      },
    ];
    await new FileServiceStore(path).save(services);
    expect(await new FileServiceStore(path).load()).to.deep.equal(services);
    expect(JSON.parse(await readFile(path, 'utf8'))).to.deep.equal({ version: 1, services });
  });

  const good = { name: 'a', settings: settingsOf(['http://a:1']) };
  const damaged: [string, unknown, RegExp][] = [
    ['a service without a name', { version: 1, services: [{ settings: good.settings }] }, /\/services\/0/],
    ['an impossible name', { version: 1, services: [{ ...good, name: '../x' }] }, /\/services\/0\/name/],
    ['a name twice', { version: 1, services: [good, good] }, /second service 'a'/],
    ['no list', { version: 1 }, /services/],
    [
      'a duration as text',
      {
        version: 1,
        services: [{ ...good, settings: settingsOf([], { timeout: { connect: '2s' as never } }) }],
      },
      /./,
    ],
    ...(
      [
        ['outlierEjection', 'baseTime'],
        ['outlierEjection', 'maxTime'],
        ['outlierEjection', 'window'],
        ['slowStart', 'duration'],
        ['concurrency', 'maxWait'],
      ] as const
    ).map(([section, name]): [string, unknown, RegExp] => [
      `a ${section}.${name} as text`,
      {
        version: 1,
        services: [{ ...good, settings: settingsOf(['http://a:1'], { [section]: { [name]: '2s' } }) }],
      },
      new RegExp(`'${name}' must be a number of milliseconds`),
    ]),
    [
      'a target that is no URL',
      { version: 1, services: [{ ...good, settings: settingsOf(['nonsense']) }] },
      /nonsense/,
    ],
    ['another version', { version: 2, services: [] }, /version is 2, expected 1/],
  ];
  for (const [what, content, reason] of damaged) {
    it(`refuses a file with ${what}, by name, and leaves it as it is`, async () => {
      const path = join(directory, 'services.json');
      await writeFile(path, JSON.stringify(content));
      const error = await new FileServiceStore(path).load().then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message)
        .to.match(reason)
        .and.to.include(path)
        .and.to.match(/Repair it/);
      expect(JSON.parse(await readFile(path, 'utf8'))).to.deep.equal(content);
    });
  }

  it('holds every acknowledged registration after a kill at any moment', async function () {
    this.timeout(60_000);
    // Side by side, as most of the time goes into starting processes.
    await Promise.all(
      Array.from({ length: 5 }, async (_, group) => {
        const path = join(directory, `${group}`, 'services.json');
        const acknowledged: string[] = [];
        for (let round = 0; round < 3; round++) {
          const names = await registerUntilKilled(path, `round${round}`, 1 + Math.floor(Math.random() * 30));
          expect(names).not.to.have.length(0);
          acknowledged.push(...names);
          const stored = new Set((await new FileServiceStore(path).load()).map(({ name }) => name));
          expect(acknowledged.filter((name) => !stored.has(name))).to.deep.equal([]);
        }
        expect(await readdir(join(directory, `${group}`)), 'nothing is left behind').to.deep.equal([
          'services.json',
        ]);
      }),
    );
  });
});

/** Starts a process that registers services, kills it after some acknowledgements, and returns what it acknowledged. */
async function registerUntilKilled(path: string, prefix: string, after: number): Promise<string[]> {
  const script = fileURLToPath(new URL('./register-until-killed.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import=tsx', script, path, prefix], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const names: string[] = [];
  for await (const name of createInterface({ input: child.stdout })) {
    names.push(name);
    // Some spinning, so that the kill meets every step of a write.
    if (names.length === after) {
      const until = performance.now() + Math.random() * 3;
      while (performance.now() < until);
      child.kill('SIGKILL');
    }
  }
  await exit;
  return names;
}
