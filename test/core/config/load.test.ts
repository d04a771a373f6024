import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { type LoadedConfiguration, loadConfiguration, SEARCH_PLACES } from '../../../core/config/load.js';
import { ConfigurationError } from '../../../core/config/mistakes.js';

/** What each kind of file holds to set the port to 4711. */
const CONTENT: Readonly<Record<string, string>> = {
  '': 'port: 4711',
  '.yaml': 'port: 4711',
  '.yml': 'port: 4711',
  '.json': '{ "port": 4711 }',
  '.js': 'export default { port: 4711 };',
  '.mjs': 'export default async () => ({ port: 4711 });',
  '.cjs': 'module.exports = () => ({ port: 4711 });',
  '.ts':
    'interface Settings { port: number }\nconst settings: Settings = { port: 4711 };\nexport default settings;',
};

describe('loadConfiguration', () => {
  let cwd = '';

  beforeEach(async () => {
    cwd = await mkdtemp(path.join(tmpdir(), 'gateway-config-'));
    await writeFile(path.join(cwd, 'package.json'), '{ "type": "module" }');
  });

  afterEach(() => rm(cwd, { recursive: true }));

  const load = (file?: string, env: NodeJS.ProcessEnv = {}): Promise<LoadedConfiguration> =>
    loadConfiguration({ ...(file === undefined ? {} : { file }), cwd, env, catalogueNames: ['cors'] });
  const write = (file: string, text: string) => writeFile(path.join(cwd, file), text);
  const failure = async (file?: string): Promise<string> => {
    const error: unknown = await load(file).catch((reason: unknown) => reason);
    return error instanceof ConfigurationError
      ? error.message
      : expect.fail(`no ConfigurationError: ${String(error)}`);
  };

  for (const place of SEARCH_PLACES.filter((name) => name !== 'package.json')) {
    it(`finds ${place}`, async () => {
      await write(place, CONTENT[path.extname(place)] ?? expect.fail('no content'));
      const loaded = await load();
      expect(loaded.settings.port).to.equal(4711);
      expect(loaded).to.include({ file: path.join(cwd, place), baseDirectory: cwd, usesDefaults: false });
    });
  }

  it('finds the gateway key of package.json', async () => {
    await write('package.json', '{ "name": "x", "gateway": { "port": 4711 } }');
    expect((await load()).settings.port).to.equal(4711);
  });

  it('looks in the order of the list', async () => {
    await write('.gatewayrc.yaml', 'port: 1');
    await write('gateway.config.js', 'export default { port: 2 };');
    expect((await load()).settings.port).to.equal(1);
    await write('.gatewayrc', '{"port": 3}');
    expect((await load()).settings.port).to.equal(3);
  });

  it('uses the defaults where there is none', async () => {
    const loaded = await load(undefined, { PORT: '4711' });
    expect(loaded).to.include({ file: undefined, usesDefaults: true, baseDirectory: cwd });
    expect(loaded.settings.port).to.equal(4711);
    expect(Object.keys(loaded.settings.services)).to.have.lengthOf(5);
  });

  it('takes an empty file as a configuration without settings', async () => {
    for (const text of ['', '# nothing yet\n']) {
      await write('.gatewayrc', text);
      const loaded = await load();
      expect(loaded.usesDefaults).to.equal(false);
      expect(loaded.settings.services).to.deep.equal({});
    }
  });

  it('reads the file that is named, of any extension, in any folder', async () => {
    await mkdir(path.join(cwd, 'config'));
    await write('config/services.yaml', 'api-gateway-service: { port: 4711 }');
    await write('gateway.conf', 'port: 4712');
    const loaded = await load('config/services.yaml');
    expect(loaded.settings.port).to.equal(4711);
    expect(loaded.baseDirectory).to.equal(path.join(cwd, 'config'));
    expect((await load('gateway.conf')).settings.port).to.equal(4712);
  });

  it('reads TypeScript and CommonJS in a package that is CommonJS', async () => {
    await write('package.json', '{}');
    await write('a.ts', CONTENT['.ts'] ?? expect.fail('no content'));
    await write('a.js', CONTENT['.cjs'] ?? expect.fail('no content'));
    expect((await load('a.ts')).settings.port).to.equal(4711);
    expect((await load('a.js')).settings.port).to.equal(4711);
  });

  it('sees what was edited since the last time', async () => {
    for (const file of ['a.mjs', 'a.cjs', 'a.ts']) {
      const text = CONTENT[path.extname(file)] ?? expect.fail('no content');
      await write(file, text);
      expect((await load(file)).settings.port).to.equal(4711);
      await write(file, text.replace('4711', '4712'));
      expect((await load(file)).settings.port, file).to.equal(4712);
    }
  });

  it('says which file cannot be read, and why', async () => {
    expect(await failure('missing.yaml')).to.equal(
      'missing.yaml: found no such file, expected a configuration that can be read',
    );
    await write('a.json', 'port: 1');
    expect(await failure('a.json')).to.equal('a.json: found text that is YAML, not JSON, expected JSON');
    await write('b.json', '{ "port": 1, "port": 2 }');
    expect(await failure('b.json')).to.equal(
      'b.json:1:14: found a key that stands there twice, expected each key once',
    );
    await write('a.mjs', 'throw new Error("out of order");');
    expect(await failure('a.mjs')).to.equal(
      'a.mjs: found an error (out of order), expected a configuration that can be read',
    );
    await write('b.mjs', 'export const port = 1;');
    expect(await failure('b.mjs')).to.equal(
      'b.mjs: found no configuration as its default export, expected an object, or a function that returns one',
    );
    await write('a.ts', 'export default { port: ;');
    expect(await failure('a.ts')).to.match(
      /^a\.ts: found an error \(.+a\.ts:1:23.+\), expected a configuration that can be read$/,
    );
    expect(await failure('package.json')).to.equal(
      'package.json: gateway: found nothing, expected the configuration',
    );
  });

  it('does not pass over a file of code that fails because another file is missing', async () => {
    await write(
      '.gatewayrc.js',
      'import { readFileSync } from "node:fs";\nexport default readFileSync("/nonexistent");',
    );
    expect(await failure()).to.match(/^\.gatewayrc\.js: found an error \(ENOENT/);
  });

  it('takes JSON that is indented by tabs', async () => {
    await write('.gatewayrc', '{\n\t"port": 4711,\n\t"limits": {\n\t\t"body": "1mb"\n\t}\n}\n');
    await write('a.json', '{\n\t"port": 4711,\n\t"plugins": [\n\t\t"cors"\n\t]\n}\n');
    expect((await load()).settings.port).to.equal(4711);
    expect((await load('a.json')).settings.port).to.equal(4711);
  });
});
