import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import { blameFor } from '../../../core/blame.js';
import { createRootContainer } from '../../../core/container.js';
import {
  CLOCK,
  definePlugin,
  type GatewayPlugin,
  OPTIONS,
  PLUGIN_ID,
  systemClock,
} from '../../../core/index.js';
import { catalogueOf, definition, folder, load, mistakesOf } from './support.js';

const PLAIN = (name: string) =>
  `export default { name: '${name}', summary: 'x', options: { type: 'object', properties: {} }, plugin: class {} };`;

@injectable()
class Echo implements GatewayPlugin {
  readonly options: { greeting: string };
  readonly id: string;
  readonly clock: unknown;
  readonly hooks = {};

  constructor(
    @inject(OPTIONS) options: { greeting: string },
    @inject(PLUGIN_ID) id: string,
    @inject(CLOCK) clock: unknown,
  ) {
    this.options = options;
    this.id = id;
    this.clock = clock;
  }
}

const echo = definePlugin({
  name: 'echo',
  summary: 'Keeps what it is given.',
  options: Type.Object({
    greeting: Type.String({ default: 'hello', minLength: 2 }),
    list: Type.Array(Type.String(), { default: [] }),
  }),
  plugin: Echo,
});

function containerWithClock() {
  const container = createRootContainer();
  container.register(CLOCK, { useValue: systemClock });
  return container;
}

async function loadEcho(...entries: unknown[]) {
  const loaded = await load(entries, catalogueOf(echo), '.', containerWithClock());
  return loaded.map((plugin) => {
    if (!(plugin.instance instanceof Echo)) throw new Error('Not the plugin that was declared');
    return { plugin, instance: plugin.instance };
  });
}

describe('loadPlugins', () => {
  describe('entries', () => {
    const catalogue = catalogueOf(definition('a'), definition('b'), definition('c'));

    it('are taken in the order they stand, in each form', async () => {
      const loaded = await load(
        ['c', { a: {} }, { use: 'b', id: 'second', options: {} }, { use: 'b' }],
        catalogue,
      );
      expect(loaded.map(({ id, definition: { name } }) => `${id}:${name}`)).to.deep.equal([
        'c:c',
        'a:a',
        'second:b',
        'b:b',
      ]);
    });

    it('may name a plugin twice under different ids', async () => {
      const [own, partner] = await loadEcho('echo', {
        use: 'echo',
        id: 'partner',
        options: { greeting: 'hi' },
      });
      expect(own?.instance).to.include({ id: 'echo' }).and.not.equal(partner?.instance);
      expect(partner?.instance).to.include({ id: 'partner' });
      expect([own?.instance.options.greeting, partner?.instance.options.greeting]).to.deep.equal([
        'hello',
        'hi',
      ]);
    });

    it('that are switched off are not constructed', async () => {
      let constructed = 0;
      class Counted {
        constructor() {
          constructed++;
        }
      }
      const counted = catalogueOf(definition('counted', { plugin: Counted }));
      expect(await load([{ counted: false }], counted)).to.deep.equal([]);
      expect(constructed).to.equal(0);
      await load([{ counted: true }], counted);
      expect(constructed).to.equal(1);
    });

    it('that are switched off are checked all the same', async () => {
      const off = [{ use: 'echo', enabled: false, options: { greeting: 1 } }];
      expect(await mistakesOf(load(off, catalogueOf(echo)))).to.deep.equal([
        '.gatewayrc: plugins[0].options.greeting: found 1, expected text of at least 2 characters',
      ]);
    });

    it('that are switched off do not take part in the order', async () => {
      const ordered = catalogueOf(definition('a', { order: { after: ['b'] } }), definition('b'));
      expect(await load(['a', { b: false }], ordered)).to.have.length(1);
      expect(await mistakesOf(load(['a', 'b'], ordered))).to.deep.equal([
        ".gatewayrc: plugins[0]: found the plugins in this order, expected 'a' must stand after 'b': move the line of 'a' below it",
      ]);
    });
  });

  describe('modules', () => {
    let path: string;
    let remove: () => Promise<void>;
    before(async () => {
      ({ path, remove } = await folder({
        'plain.js': PLAIN('plain'),
        'package.json': '{ "type": "module" }',
        'sub/modern.mjs': PLAIN('modern'),
        'sub/old.cjs': `module.exports = { name: 'old', summary: '', options: { type: 'object', properties: {} }, plugin: class {} };`,
        'sub/compiled.cjs': `exports.__esModule = true; exports.default = { name: 'compiled', summary: '', options: { type: 'object', properties: {} }, plugin: class {} };`,
        'decorated.ts': `
          import { inject, injectable } from 'tsyringe';
          import { Type, type Static } from 'typebox';
          const options = Type.Object({ greeting: Type.String({ default: 'typed' }) });
          @injectable()
          class Decorated {
            constructor(@inject(Symbol.for('gateway:options')) readonly options: Static<typeof options>) {}
          }
          export default { name: 'decorated', summary: 'x', options, plugin: Decorated };`,
        'broken.ts': 'export default {',
        'nothing.js': 'export const plugin = 1;',
        'half.js': `export default { name: 'half', options: {} };`,
        'throwing.js': `throw new Error('no database');`,
        'syntax.js': 'export default {',
        'node_modules/both/package.json': '{ "name": "both", "main": "main.cjs" }',
        'node_modules/both/main.cjs': `module.exports = { name: 'both', summary: '', options: { type: 'object', properties: {} }, plugin: class {} };`,
        'node_modules/@scope/modern/package.json': `{
          "name": "@scope/modern", "type": "module",
          "exports": { ".": { "types": "./x.d.ts", "import": "./esm/index.js" }, "./other": "./esm/other.js" }
        }`,
        'node_modules/@scope/modern/esm/index.js': PLAIN('scoped'),
        'node_modules/@scope/modern/esm/other.js': PLAIN('other'),
      }));
    });
    after(() => remove());

    const namesOf = async (...uses: unknown[]) =>
      (await load(uses, {}, path)).map(({ id, definition: { name } }) => `${id}:${name}`);

    it('are found by a path relative to the configuration file', async () => {
      expect(
        await namesOf('./plain.js', './sub/modern.mjs', './sub/../sub/old.cjs', './sub/compiled.cjs'),
      ).to.deep.equal(['plain:plain', 'modern:modern', 'old:old', 'compiled:compiled']);
    });

    it('are found by an absolute path and a file: URL', async () => {
      expect(await namesOf(`${path}/plain.js`)).to.deep.equal(['plain:plain']);
      expect(await namesOf(`file://${path}/plain.js`)).to.deep.equal(['plain:plain']);
    });

    it('may be TypeScript with decorators', async () => {
      const [plugin] = await load([{ use: './decorated.ts', options: { greeting: 'hi' } }], {}, path);
      expect(plugin?.instance).to.have.deep.property('options', { greeting: 'hi' });
    });

    it('that are TypeScript are read anew by each load', async () => {
      await writeFile(join(path, 'edited.ts'), PLAIN('before'));
      expect(await namesOf('./edited.ts')).to.deep.equal(['edited:before']);
      await writeFile(join(path, 'edited.ts'), PLAIN('after'));
      expect(await namesOf('./edited.ts')).to.deep.equal(['edited:after']);
    });

    it('may be packages, also those that are for import only', async () => {
      expect(
        await namesOf('both', { use: '@scope/modern', id: 'x' }, { use: '@scope/modern/other', id: 'y' }),
      ).to.deep.equal(['both:both', 'x:scoped', 'y:other']);
    });

    const WRONG: readonly [use: string, reason: RegExp][] = [
      ['./nothing.js', /the module exports no plugin; it needs `export default definePlugin/],
      ['./half.js', /the module exports no plugin/],
      ['./throwing.js', /cannot be loaded: no database/],
      ['./syntax.js', /cannot be loaded: Unexpected end of input/],
      ['./broken.ts', /broken\.ts:1:\d+: ERROR: Expected identifier/],
      ['./missing.js', /cannot be loaded: there is no file '.*missing\.js'/],
      ['@scope/missing', /cannot be loaded: there is no package '@scope\/missing'/],
      ['@scope/modern/secret', /there is no package '@scope\/modern\/secret'.* that could be imported/],
    ];
    for (const [use, reason] of WRONG) {
      it(`are refused in one line: ${use}`, async () => {
        const mistakes = await mistakesOf(load([{ use, id: 'x' }], {}, path));
        expect(mistakes).to.have.length(1);
        expect(mistakes[0])
          .to.match(/^\.gatewayrc: plugins\[0\]: found '/)
          .and.match(reason);
      });
    }

    it('are reported with all other mistakes', async () => {
      const catalogue = catalogueOf(
        echo,
        definition('early', { order: { after: ['late'] } }),
        definition('late'),
      );
      const list = [
        './missing.js',
        { echo: { greeting: '', nonsense: 1 } },
        'early',
        'late',
        './throwing.js',
      ];
      const mistakes = await mistakesOf(load(list, catalogue, path));
      expect(mistakes.map((line) => line.split(': found')[0])).to.have.members([
        '.gatewayrc: plugins[0]',
        '.gatewayrc: plugins[1].echo.greeting',
        '.gatewayrc: plugins[1].echo.nonsense',
        '.gatewayrc: plugins[2]',
        '.gatewayrc: plugins[4]',
      ]);
    });
  });

  describe('instances', () => {
    it('are given what they ask for by token', async () => {
      const [loaded] = await loadEcho({ echo: { greeting: 'hi' } });
      expect(loaded?.instance).to.deep.include({ id: 'echo', options: { greeting: 'hi', list: [] } });
      expect(loaded?.instance.clock).to.equal(systemClock);
    });

    it('get options that are frozen all the way down', async () => {
      const [loaded] = await loadEcho('echo');
      expect(loaded?.instance.options).to.be.frozen;
      expect(loaded?.instance.options).to.have.property('list').that.is.frozen;
    });

    it('have a container of their own each', async () => {
      const root = containerWithClock();
      const [a, b] = await load(['echo', { use: 'echo', id: 'other' }], catalogueOf(echo), '.', root);
      a?.container.register('own', { useValue: 1 });
      expect(b?.container.isRegistered('own', true)).to.equal(false);
      expect(root.isRegistered(OPTIONS, true)).to.equal(false);
      expect(b?.container.resolve(PLUGIN_ID)).to.equal('other');
    });

    it('that refuse their options are mistakes of the configuration, all of them reported', async () => {
      class Refusing {
        constructor() {
          throw new Error('the two secrets are the same');
        }
      }
      const refusing = catalogueOf(
        definition('a', { plugin: Refusing }),
        definition('b', { plugin: Refusing }),
      );
      expect(await mistakesOf(load(['a', 'b'], refusing))).to.deep.equal([
        '.gatewayrc: plugins[0]: found options that the plugin refuses, expected others; the two secrets are the same',
        '.gatewayrc: plugins[1]: found options that the plugin refuses, expected others; the two secrets are the same',
      ]);
    });

    it('that fail to be constructed are blamed for it', async () => {
      class Failing {
        constructor() {
          throw new TypeError('no');
        }
      }
      const failure = await load(['bad'], catalogueOf(definition('bad', { plugin: Failing }))).catch(
        (error: unknown) => error,
      );
      expect(blameFor(failure)).to.deep.equal({ plugin: 'bad', member: 'constructor' });
    });
  });

  describe('overrides', () => {
    const service = (override: boolean | Record<string, unknown>) => ({
      plugins: { echo: override },
      path: ['services', 'a', 'plugins'],
    });
    const route = (override: boolean | Record<string, unknown>) => ({
      plugins: { echo: override },
      path: ['routes', 0, 'plugins'],
    });
    const none = { plugins: {}, path: [] };

    async function optionsFor(...overrides: Parameters<typeof service>[0][]) {
      const [loaded] = await loadEcho({ echo: { greeting: 'own', list: ['own'] } });
      const levels = [service, route].map((level, index) => {
        const override = overrides[index];
        return override === undefined ? none : level(override);
      });
      return loaded?.plugin.optionsFor(levels);
    }

    it('are absent: the entry’s own options, the very same object', async () => {
      const [loaded] = await loadEcho('echo');
      expect(loaded?.plugin.optionsFor([none])).to.equal(loaded?.instance.options);
    });

    it('lay the service’s options over the entry’s, and the route’s over these', async () => {
      expect(await optionsFor({ greeting: 'service' })).to.deep.equal({ greeting: 'service', list: ['own'] });
      expect(await optionsFor({ greeting: 'service', list: [] }, { greeting: 'route' })).to.deep.equal({
        greeting: 'route',
        list: [],
      });
    });

    it('switch the plugin off, and on again', async () => {
      expect(await optionsFor(false)).to.equal(undefined);
      expect(await optionsFor({ greeting: 'service' }, false)).to.equal(undefined);
      expect(await optionsFor(false, true)).to.deep.equal({ greeting: 'own', list: ['own'] });
      expect(await optionsFor(false, { greeting: 'route' })).to.deep.equal({
        greeting: 'route',
        list: ['own'],
      });
    });

    it('are frozen, and checked by the plugin’s schema where they stand', async () => {
      expect(await optionsFor({ greeting: 'service' })).to.be.frozen;
      expect(await mistakesOf(optionsFor({ greeting: 5 }))).to.deep.equal([
        '.gatewayrc: services.a.plugins.echo.greeting: found 5, expected text of at least 2 characters',
      ]);
      expect((await mistakesOf(optionsFor(true, { grreeting: 'x' })))[0]).to.match(
        /^\.gatewayrc: routes\[0\]\.plugins\.echo\.grreeting: .*did you mean "greeting"/,
      );
    });
  });
});
