import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import { type GatewayPlugin, type Hooks, KEPT_STATE, type KeptState } from '../../core/index.js';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';
import { catalogueOf, definition } from './loader/support.js';

describe('Gateway', () => {
  let upstream: Upstream;
  let calls: string[];
  let running: RunningGateway | undefined;

  beforeEach(async () => {
    upstream = await startUpstream((req, res) => {
      if (req.url?.includes('hold') !== true) res.end('ok');
    });
    calls = [];
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await upstream.close();
  });

  /** A plugin whose hooks are noted; each instance has a number, as its class is made anew for each generation. */
  function noting(name: string, fail: (member: keyof Hooks, instance: number) => boolean = () => false) {
    let instances = 0;
    class Noting implements GatewayPlugin {
      readonly number = ++instances;
      readonly hooks: Hooks = {
        onStart: () => this.note('onStart'),
        onReady: () => this.note('onReady'),
        onDrain: () => this.note('onDrain'),
        onStop: () => this.note('onStop'),
        onServiceChange: ({ service: changed, change }) =>
          this.note('onServiceChange', ` ${changed} ${change}`),
      };

      note(member: keyof Hooks, detail = ''): void {
        calls.push(`${name}${this.number}.${member}${detail}`);
        if (fail(member, this.number)) throw new Error(`${name} fails in ${member}`);
      }
    }
    return definition(name, { plugin: Noting });
  }

  const config = (rest: RawConfig = {}): RawConfig => ({ services: { a: service(upstream.url) }, ...rest });
  const status = async (path: string) => (await fetch(`${running?.url}${path}`)).status;
  /** The configuration that a gateway was started with, with some settings changed. */
  const reload = (own: RunningGateway, rest: RawConfig) =>
    own.gateway.reload({
      host: '127.0.0.1',
      port: 0,
      dataDirectory: own.dataDirectory,
      logging: { level: 'CRITICAL' },
      shutdown: { drainTimeout: '2s' },
      ...config(),
      ...rest,
    });

  describe('start', () => {
    it('runs the hooks in order, and stop in reverse', async () => {
      running = await startGateway(config({ plugins: ['a', 'b'] }), {
        catalogue: catalogueOf(noting('a'), noting('b')),
      });
      await running.stop();
      running = undefined;
      expect(calls).to.deep.equal([
        'a1.onStart',
        'b1.onStart',
        'a1.onReady',
        'b1.onReady',
        'b1.onDrain',
        'a1.onDrain',
        'b1.onStop',
        'a1.onStop',
      ]);
    });

    it('that fails in a plugin stops what was started, and gives everything back', async () => {
      const port = await freePort();
      const catalogue = catalogueOf(
        noting('a'),
        noting('b', (member) => member === 'onStart'),
        noting('c'),
      );
      const failure = await startGateway(config({ port, plugins: ['a', 'b', 'c'] }), { catalogue }).catch(
        (error: unknown) => error,
      );
      expect(failure).to.be.an('error').with.property('message', 'b fails in onStart');
      expect(calls).to.deep.equal(['a1.onStart', 'b1.onStart', 'b1.onStop', 'a1.onStop']);
      running = await startGateway(config({ port }));
      expect(await status('/api/v1/a/x')).to.equal(200);
    });

    it('that finds its port taken stops the plugins again', async () => {
      const blocker = createServer();
      await once(blocker.listen(0, '127.0.0.1'), 'listening');
      const address = blocker.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const failure = await startGateway(config({ port, plugins: ['a', 'b'] }), {
        catalogue: catalogueOf(noting('a'), noting('b')),
      }).catch((error: unknown) => error);
      expect(failure).to.have.property('code', 'EADDRINUSE');
      expect(calls.slice(-2)).to.deep.equal(['b1.onStop', 'a1.onStop']);
      blocker.close();
    });

    it('that finds the port of the admin listener taken closes the main one', async () => {
      const blocker = createServer();
      await once(blocker.listen(0, '127.0.0.1'), 'listening');
      const address = blocker.address();
      const taken = typeof address === 'object' && address !== null ? address.port : 0;
      const port = await freePort();
      const failure = await startGateway(config({ port, admin: { port: taken } })).catch(
        (error: unknown) => error,
      );
      expect(failure).to.have.property('code', 'EADDRINUSE');
      running = await startGateway(config({ port }));
      blocker.close();
    });

    it('happens once', async () => {
      running = await startGateway(config());
      const failure = await running.gateway.start().catch((error: unknown) => error);
      expect(failure).to.be.an('error');
      expect(await status('/health')).to.equal(200);
    });
  });

  describe('reload', () => {
    it('takes routes, services and plugins into use, in order', async () => {
      running = await startGateway(config({ plugins: ['a'] }), {
        catalogue: catalogueOf(noting('a'), noting('b')),
      });
      calls.length = 0;
      const events: unknown[] = [];
      running.gateway.events.on('reload', (event) => events.push(event));
      await reload(running, { plugins: ['b', 'a'], services: { b: service(upstream.url) } });
      await until('the old generation to stop', () => calls.includes('a1.onStop'));
      expect(calls.filter((call) => !call.includes('ServiceChange'))).to.deep.equal([
        'b1.onStart',
        'a2.onStart',
        'b1.onReady',
        'a2.onReady',
        'a1.onDrain',
        'a1.onStop',
      ]);
      expect(events).to.deep.equal([{ generation: 2, ok: true }]);
      expect([await status('/api/v1/a/x'), await status('/api/v1/b/x')]).to.deep.equal([404, 200]);
    });

    it('that fails keeps the old generation, and says why', async () => {
      running = await startGateway(config({ plugins: ['a', 'b'] }), {
        catalogue: catalogueOf(
          noting('a'),
          noting('b', (member, instance) => member === 'onStart' && instance === 2),
        ),
      });
      calls.length = 0;
      const events: Record<string, unknown>[] = [];
      running.gateway.events.on('reload', (event) => events.push(event));
      const failure = await reload(running, { plugins: ['a', 'b'], services: {} }).catch(
        (error: unknown) => error,
      );
      expect(failure).to.have.property('message', 'b fails in onStart');
      expect(events).to.deep.equal([{ generation: 1, ok: false, reason: 'b fails in onStart' }]);
      expect(calls).to.deep.equal(['a2.onStart', 'b2.onStart', 'b2.onStop', 'a2.onStop']);
      expect(await status('/api/v1/a/x')).to.equal(200);
      await reload(running, { plugins: ['a'] });
      expect(await status('/api/v1/a/x')).to.equal(200);
    });

    it('lets requests end in the generation that they began in', async () => {
      let release = () => {};
      await upstream.close();
      upstream = await startUpstream((_req, res) => {
        release = () => res.end('late');
      });
      running = await startGateway(config({ plugins: ['a'] }), { catalogue: catalogueOf(noting('a')) });
      const response = fetch(`${running.url}/api/v1/a/hold`);
      await until('the request', () => upstream.requests.length === 1);
      await reload(running, {});
      await until('the drain', () => calls.includes('a1.onDrain'));
      expect(calls).not.to.include('a1.onStop');
      release();
      expect(await (await response).text()).to.equal('late');
      await until('the old generation to stop', () => calls.includes('a1.onStop'));
    });

    it('refuses what needs a restart, all of it at once', async () => {
      running = await startGateway(config());
      const failure = await reload(running, {
        port: 1,
        dataDirectory: '/elsewhere',
        limits: { keepAlive: '1s', headersTimeout: '1s', connections: 5, headers: '32kb' },
      }).catch((error: unknown) => error);
      expect(failure).to.be.an('error').with.property('name', 'ConfigurationError');
      const lines = failure instanceof Error ? failure.message.split('\n') : [];
      expect(lines).to.have.length(6);
      for (const line of lines) expect(line).to.contain('a change needs a restart');
    });

    it('is refused by a gateway that does not run', async () => {
      const own = await startGateway(config());
      await own.stop();
      const failure = await reload(own, {}).catch((error: unknown) => error);
      expect(failure).to.be.an('error').with.property('message').that.contains('running');
    });
  });

  describe('kept state', () => {
    let dropped: string[];
    const counted = (key: string) => {
      @injectable()
      class Counted implements GatewayPlugin {
        readonly #value: { requests: number };
        constructor(@inject(KEPT_STATE) kept: KeptState) {
          this.#value = kept.keep(
            key,
            () => ({ requests: 0 }),
            () => dropped.push(key),
          );
        }
        middleware(): ReturnType<NonNullable<GatewayPlugin['middleware']>> {
          return (ctx) => {
            ctx.body = String(++this.#value.requests);
          };
        }
      }
      return definition(key, { plugin: Counted });
    };
    const text = async () => (await fetch(`${running?.url}/api/v1/a/x`)).text();
    beforeEach(() => {
      dropped = [];
    });

    it('outlives a reload, and ends when nobody asks for it any more', async () => {
      running = await startGateway(config({ plugins: ['one'] }), {
        catalogue: catalogueOf(counted('one'), counted('two')),
      });
      expect(await text()).to.equal('1');
      await reload(running, { plugins: ['one'] });
      expect(await text()).to.equal('2');
      await reload(running, { plugins: ['two'] });
      expect(await text()).to.equal('1');
      await until('the state to be dropped', () => dropped.length > 0);
      expect(dropped).to.deep.equal(['one']);
    });

    it('ends with the gateway', async () => {
      running = await startGateway(config({ plugins: ['one'] }), { catalogue: catalogueOf(counted('one')) });
      await running.stop();
      running = undefined;
      expect(dropped).to.deep.equal(['one']);
    });

    it('stays as long as an older generation still has requests', async () => {
      const holding = definition('holding', {}, { middleware: () => (_ctx, next) => next() });
      running = await startGateway(
        {
          ...config({ plugins: [{ use: 'one' }, 'holding'] }),
          services: { a: service(upstream.url, { plugins: { one: false } }) },
        },
        { catalogue: catalogueOf(counted('one'), holding) },
      );
      const held = fetch(`${running.url}/api/v1/a/hold`).catch(() => undefined);
      await until('the request', () => upstream.requests.length === 1);
      await reload(running, { plugins: ['holding'] });
      await reload(running, { plugins: [] });
      // The second generation had no requests and is gone; the first one is still at work.
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(dropped).to.deep.equal([]);
      await running.stop();
      running = undefined;
      await held;
      expect(dropped).to.deep.equal(['one']);
    });
  });

  describe('services', () => {
    const settings = () => ({ service_name: 'extra', targets: [upstream.url], health: false });
    const register = async () => {
      const response = await fetch(`${running?.url}/api/v1/gateway/services`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(settings()),
      });
      expect(response.status).to.equal(201);
    };

    it('registered at run time get a route at once, which survives reloads', async () => {
      running = await startGateway(config({ plugins: ['a'] }), { catalogue: catalogueOf(noting('a')) });
      expect(await status('/api/v1/extra/x')).to.equal(404);
      await register();
      expect(await status('/api/v1/extra/x')).to.equal(200);
      expect(calls).to.include('a1.onServiceChange extra added');
      await reload(running, {});
      expect(await status('/api/v1/extra/x')).to.equal(200);
      await fetch(`${running.url}/api/v1/gateway/services/extra`, { method: 'DELETE' });
      expect(await status('/api/v1/extra/x')).to.equal(404);
    });

    it('registered while a reload is refused are not lost', async () => {
      running = await startGateway(config({ plugins: ['a'] }), {
        catalogue: catalogueOf(noting('a', (member, instance) => member === 'onStart' && instance === 2)),
      });
      const refused = reload(running, { plugins: ['a'] }).catch((error: unknown) => error);
      await register();
      expect(await refused).to.be.an('error');
      expect(await status('/api/v1/extra/x')).to.equal(200);
    });
  });

  it('shares nothing with another one in the same process', async () => {
    const catalogue = catalogueOf(noting('a'));
    running = await startGateway(config({ plugins: ['a'] }), { catalogue });
    const other = await startGateway({ services: { b: service(upstream.url) } }, { catalogue });
    try {
      expect([await status('/api/v1/a/x'), await status('/api/v1/b/x')]).to.deep.equal([200, 404]);
      await other.gateway.services.register('mine', {
        ...other.gateway.services.list()[0]?.settings,
      } as never);
      expect(running.gateway.services.get('mine')).to.equal(undefined);
      expect(other.gateway.events).not.to.equal(running.gateway.events);
    } finally {
      await other.stop();
    }
    expect(await status('/api/v1/a/x')).to.equal(200);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
