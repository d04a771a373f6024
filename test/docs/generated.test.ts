import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { openApiDescription } from '../../core/cli/admin-description.js';
import { type GeneratedFile, generatedFiles } from '../../core/cli/generated-files.js';
import { loadConfiguration } from '../../core/config/load.js';
import { parseSettings } from '../../core/config/parse.js';
import { recordOf } from '../../core/config/paths.js';
import { compileOptions } from '../../core/config/validator.js';
import { ERRORS } from '../../core/errors.js';
import { Gateway } from '../../core/gateway.js';
import { catalogue } from '../../plugins/index.js';
import { codeBlocks, markdownFiles } from './markdown.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const catalogueNames = Object.keys(catalogue);
/** A page may show a plugin that is to come. */
const shown = [...catalogueNames, 'auth-jwt', 'cors', 'rate-limit-token-bucket'];

describe('generated files', () => {
  let files: GeneratedFile[];

  before(async () => {
    files = await generatedFiles(root, catalogue, await openApiDescription());
  });

  it('are what `npm run generate` would write now', () => {
    const stale = files.filter(
      (file) => !existsSync(path.join(root, file.path)) || read(file.path) !== file.content,
    );
    expect(
      stale.map((file) => file.path),
      'out of date: npm run generate',
    ).to.deep.equal([]);
  });

  it('describe every route of the requirements and every error', () => {
    const admin = read('docs/reference/admin-api.md');
    for (const route of [
      'GET /health',
      'GET /api/v1/gateway/status',
      'GET /api/v1/gateway/services',
      'POST /api/v1/gateway/services',
      'DELETE /api/v1/gateway/services/{name}',
    ]) {
      expect(admin).to.include(`\n## \`${route}\`\n`);
    }
    expect(admin, 'a field of a body').to.match(/^\| `service_name` \| string/m);
    const errors = read('docs/reference/errors.md');
    for (const [code, { status }] of Object.entries(ERRORS))
      expect(errors).to.include(`| \`${code}\` | ${status} |`);
  });
});

describe('every plugin of the catalogue', () => {
  for (const [name, load] of Object.entries(catalogue)) {
    it(`${name} has its name in the definition, a folder, a test and a page`, async () => {
      expect((await load()).default.name).to.equal(name);
      expect(existsSync(path.join(root, 'plugins', name, 'index.ts')), 'its folder').to.equal(true);
      const tests = readdirSync(path.join(root, 'test/plugins'));
      const own = tests.filter((file) => file.startsWith(name) && file.endsWith('.test.ts'));
      expect(own, `test/plugins/${name}*.test.ts`).not.to.deep.equal([]);
      expect(existsSync(path.join(root, 'docs/plugins', `${name}.md`)), `docs/plugins/${name}.md`).to.equal(
        true,
      );
    });
  }

  it('is all that there are folders for', () => {
    const folders = readdirSync(path.join(root, 'plugins'), { withFileTypes: true });
    const names = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    expect(names.sort()).to.deep.equal([...catalogueNames].sort());
  });
});

describe('the configurations that users copy', () => {
  const env = {
    GATEWAY_ADMIN_TOKEN: 'a token for the tests',
    JWT_SECRET: 'a secret for the tests, long enough',
    DEMO_DATA_DIRECTORY: '.gateway/test',
    GATEWAY_DATA: '.gateway/test',
  };
  const examples = readdirSync(path.join(root, 'config/examples')).filter((file) =>
    file.endsWith('.gatewayrc.yaml'),
  );

  for (const file of [
    'config/default.gatewayrc.yaml',
    'config/services.yaml',
    'config/examples/demo/gateway.yaml',
    ...examples.map((name) => `config/examples/${name}`),
  ]) {
    it(`${file} is valid, options of its plugins and all`, async () => {
      const configuration = await loadConfiguration({ file, cwd: root, env, catalogueNames });
      const gateway = new Gateway(configuration, { catalogue });
      const ids = await gateway.dryRun(({ plugins }) => plugins.map(({ id }) => id));
      expect(ids).to.deep.equal(
        configuration.settings.plugins.filter(({ enabled }) => enabled).map(({ id }) => id),
      );
    });
  }

  it('the ConfigMap of config/examples/kubernetes.yaml is valid', () => {
    const [configMap = ''] = read('config/examples/kubernetes.yaml').split('\n---\n');
    const { 'services.yaml': services } = recordOf(recordOf(parse(configMap)).data);
    const raw: unknown = parse(String(services));
    const { settings } = parseSettings(raw, {
      source: 'the ConfigMap',
      baseDirectory: root,
      env,
      catalogueNames,
    });
    expect(Object.keys(settings.services)).to.deep.equal(['market-data-collector', 'data-storage-service']);
  });

  for (const file of markdownFiles(root).filter((each) => !/docs\/(?:reference|decisions)\//.test(each))) {
    const blocks = codeBlocks(read(file), 'yaml').filter((text) =>
      /^(?:port|services|routes|plugins|admin|limits):/m.test(text),
    );
    for (const [index, text] of blocks.entries()) {
      it(`${file}: configuration ${index + 1} is valid, options of built-in plugins and all`, async () => {
        const context = { source: file, baseDirectory: root, env: variablesOf(text), catalogueNames: shown };
        const { settings, mistakes } = parseSettings(parse(text), context);
        for (const [position, { use, options }] of settings.plugins.entries()) {
          const definition = (await catalogue[use]?.())?.default;
          const faults = definition === undefined ? [] : compileOptions(definition.options)(options).mistakes;
          expect(mistakes(['plugins', position, 'options'], faults)).to.deep.equal([]);
        }
      });
    }
  }
});

/** A value for every variable that a text names. */
function variablesOf(text: string): Record<string, string> {
  const names = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.map((name) => [name, 'a-value-for-the-tests-which-is-long-enough']));
}

describe('commands', () => {
  const { scripts, bin } = recordOf(JSON.parse(read('package.json')));
  const scriptNames = Object.keys(recordOf(scripts));

  it('that the documents name are scripts of package.json', () => {
    const unknown = markdownFiles(root).flatMap((file) =>
      [...read(file).matchAll(/\bnpm (?:run (?:-s )?([\w:-]+)|(start|test)\b)/g)]
        .map(([, run, short]) => run ?? short ?? '')
        .filter((name) => !scriptNames.includes(name))
        .map((name) => `${file}: npm run ${name}`),
    );
    expect(unknown).to.deep.equal([]);
  });

  it('of the README include the demo and the tests, and those are what CI runs', () => {
    const commands = codeBlocks(read('README.md'), 'sh').join('\n');
    expect(commands).to.include('npm ci && npm run demo').and.to.include('npm ci && npm test');
    expect(read('.ci/run'))
      .to.match(/^npm ci$/m)
      .and.to.match(/^npm test\b/m);
  });

  it('of the image are where the package says they are', () => {
    expect(read('Dockerfile')).to.include(String(recordOf(bin).gateway).replace('./', ''));
  });
});
