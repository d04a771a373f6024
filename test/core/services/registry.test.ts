import { expect } from 'chai';
import { GatewayError } from '../../../core/errors.js';
import { GatewayEvents } from '../../../core/events.js';
import type { Logger } from '../../../core/log/logger.js';
import { UpstreamPools } from '../../../core/services/pools.js';
import { ServiceRegistry } from '../../../core/services/registry.js';
import type { ServiceStore, StoredService } from '../../../core/services/store.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeDispatcher, settingsOf, settle } from './support.js';

/** A store whose disk a test can hold up or break. */
class FakeStore implements ServiceStore {
  stored: readonly StoredService[] = [];
  failure: Error | undefined;
  gate: Promise<void> | undefined;

  async load(): Promise<StoredService[]> {
    return [...this.stored];
  }

  async save(services: readonly StoredService[]): Promise<void> {
    await this.gate;
    if (this.failure) throw this.failure;
    this.stored = structuredClone(services);
  }

  names(): string[] {
    return this.stored.map(({ name }) => name);
  }
}

class FakeLogger implements Logger {
  readonly written: string[] = [];
  debug(): void {}
  info(): void {}
  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.written.push(`${fields.service} ${message}`);
  }
  error = this.warn;
  fatal = this.warn;
  child(): Logger {
    return this;
  }
}

async function setUp(stored: StoredService[] = []) {
  const clock = new FakeClock();
  const events = new GatewayEvents();
  const changes: string[] = [];
  events.on('service.change', ({ service, change }) => changes.push(`${change} ${service}`));
  const made: FakeDispatcher[] = [];
  const factory = (origin: string) => {
    const dispatcher = new FakeDispatcher(origin);
    made.push(dispatcher);
    return dispatcher;
  };
  const pools = new UpstreamPools({ clock, factory, linger: 1000 });
  const store = new FakeStore();
  store.stored = stored;
  const logger = new FakeLogger();
  const health = { status: 200 };
  const probe = async () => health.status;
  const registry = new ServiceRegistry({ pools, clock, events, store, logger, probe, random: () => 0.5 });
  await registry.load();
  const open = () => made.filter(({ state }) => state === 'open').map(({ origin }) => origin);
  const pass = async (ms: number) => {
    clock.tick(ms);
    await settle();
  };
  return { clock, events, changes, pools, store, registry, logger, health, open, pass };
}

const A = settingsOf(['http://a:1']);
const B = settingsOf(['http://b:1']);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof GatewayError ? `${error.code}: ${error.message}` : String(error)),
  );
}

describe('ServiceRegistry: reloads', () => {
  it('prepares without effect, and commits with one swap', async () => {
    const { registry, changes } = await setUp();
    const prepared = registry.prepare({ a: A, b: B }, 'configuration');
    expect([...prepared.services.keys()]).to.deep.equal(['a', 'b']);
    expect(registry.list()).to.deep.equal([]);
    expect(changes).to.deep.equal([]);
    registry.commit(prepared);
    expect(registry.get('a')).to.equal(prepared.services.get('a'));
    expect(registry.get('a')?.origin).to.equal('configuration');
    expect(registry.list().map(({ name }) => name)).to.deep.equal(['a', 'b']);
    expect(changes).to.deep.equal(['added a', 'added b']);
  });

  it('keeps services that stay the same, and targets of those that change', async () => {
    const { registry, changes, open, pass } = await setUp();
    registry.commit(
      registry.prepare({ a: A, b: settingsOf(['http://b:1', 'http://b:2']), c: A }, 'configuration'),
    );
    const [a, b] = [registry.get('a'), registry.get('b')];
    const kept = b?.targets[1];
    if (kept) kept.active = 7;
    changes.length = 0;
    const next = settingsOf(['http://b:3', ['http://b:2', 5]]);
    const prepared = registry.prepare({ a: structuredClone(A), b: next, d: A }, 'configuration');
    expect(kept?.weight, 'no effect before the commit').to.equal(1);
    registry.commit(prepared);
    expect(registry.get('a')).to.equal(a);
    expect(registry.get('b')).not.to.equal(b);
    expect(registry.get('b')?.targets[1]).to.equal(kept);
    expect(kept?.weight).to.equal(5);
    expect(kept?.active).to.equal(7);
    expect(registry.get('b')?.targets[0]).not.to.equal(b?.targets[0]);
    expect(changes.sort()).to.deep.equal(['added d', 'removed c', 'updated b']);
    await pass(1000);
    expect(open().sort()).to.deep.equal(['http://a:1', 'http://b:2', 'http://b:3']);
  });

  it('makes new targets when the connection settings change', async () => {
    const { registry } = await setUp();
    registry.commit(registry.prepare({ a: A }, 'configuration'));
    const before = registry.get('a')?.targets[0];
    registry.commit(
      registry.prepare({ a: settingsOf(['http://a:1'], { pool: { connections: 3 } }) }, 'configuration'),
    );
    expect(registry.get('a')?.targets[0]).not.to.equal(before);
  });

  it('keeps health over a reload, also when the health settings change', async () => {
    const { registry, health, pass } = await setUp();
    registry.commit(registry.prepare({ a: A }, 'configuration'));
    health.status = 500;
    await pass(0);
    await pass(60_000);
    await pass(60_000);
    expect(registry.get('a')?.healthy).to.equal(false);
    const changed = settingsOf(['http://a:1', 'http://a:2'], { health: { path: '/other', rise: 2 } });
    registry.commit(registry.prepare({ a: changed }, 'configuration'));
    const service = registry.get('a');
    expect(service?.targets.map(({ healthy }) => healthy)).to.deep.equal([false, true]);
    for (let pick = 0; pick < 4; pick++) expect(service?.pick(undefined)).to.equal(service?.targets[1]);
  });

  it('gives back what was prepared for nothing', async () => {
    const { registry, changes, open, pass } = await setUp();
    registry.commit(registry.prepare({ a: A }, 'configuration'));
    const a = registry.get('a');
    changes.length = 0;
    registry.discard(registry.prepare({ a: A, b: B }, 'configuration'));
    registry.discard(registry.prepare({ b: B }, 'configuration'));
    await pass(1000);
    expect(registry.list()).to.deep.equal([a]);
    expect(open()).to.deep.equal(['http://a:1']);
    expect(changes).to.deep.equal([]);
  });

  it('gives everything back when one service cannot be prepared, and names the setting', async () => {
    const { registry, open, pass } = await setUp();
    const broken = settingsOf(['https://b:1'], { tls: { ca: '/nowhere/ca.pem' } });
    expect(() => registry.prepare({ a: A, b: broken }, 'configuration')).to.throw(
      "services.b.tls.ca: found the file '/nowhere/ca.pem', which cannot be used (ENOENT)",
    );
    await pass(1000);
    expect(open()).to.deep.equal([]);
    registry.commit(registry.prepare({ a: A }, 'configuration'));
    expect(registry.list()).to.have.length(1);
  });

  it('refuses impossible names with a message that says what is expected', async () => {
    const { registry } = await setUp();
    for (const name of ['gateway', 'auth', '', 'A', '-a', 'a/b', '../a', `${'a'.repeat(65)}`, '__proto__']) {
      const services = Object.fromEntries([[name, A]]);
      expect(() => registry.prepare(services, 'configuration'), name).to.throw(
        GatewayError,
        'cannot be the name',
      );
      expect(await codeOf(registry.register(name, A)), name).to.match(/^BAD_REQUEST: .*cannot be the name/);
    }
  });

  it('takes a prepared set only once, and one at a time', async () => {
    const { registry } = await setUp();
    const prepared = registry.prepare({}, 'configuration');
    expect(() => registry.prepare({}, 'configuration')).to.throw('neither committed nor discarded');
    registry.commit(prepared);
    expect(() => registry.commit(prepared)).to.throw('before');
    expect(() => registry.discard(prepared)).to.throw('before');
  });

  it('does not let a listener that throws undo a commit', async () => {
    const { registry, events, changes, logger } = await setUp();
    events.prependListener('service.change', ({ service }) => {
      if (service === 'a') throw new Error('listener');
    });
    registry.commit(registry.prepare({ a: A, b: B }, 'configuration'));
    expect(registry.list()).to.have.length(2);
    expect(changes).to.deep.equal(['added b']);
    expect(logger.written).to.have.length(1);
  });
});

describe('ServiceRegistry: changes at run time', () => {
  it('registers, updates and removes; stores before it takes effect', async () => {
    const { registry, store, changes, open, pass } = await setUp();
    registry.commit(registry.prepare({}, 'configuration'));
    let release: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      release = resolve;
    });
    const registering = registry.register('a', A);
    await settle();
    expect(registry.get('a')).to.equal(undefined);
    release();
    await registering;
    expect(store.names()).to.deep.equal(['a']);
    expect(registry.get('a')?.origin).to.equal('runtime');
    await registry.update('a', B);
    expect(registry.get('a')?.targets[0]?.url).to.equal('http://b:1');
    expect(store.stored).to.deep.equal([{ name: 'a', settings: B }]);
    await registry.remove('a');
    expect(registry.list()).to.deep.equal([]);
    expect(store.stored).to.deep.equal([]);
    expect(changes).to.deep.equal(['added a', 'updated a', 'removed a']);
    await pass(1000);
    expect(open()).to.deep.equal([]);
  });

  it('changes nothing when it cannot be stored', async () => {
    const { registry, store, changes, open, pass } = await setUp();
    registry.commit(registry.prepare({}, 'configuration'));
    store.failure = new Error('disk full');
    expect(await codeOf(registry.register('a', A))).to.equal('Error: disk full');
    expect(registry.list()).to.deep.equal([]);
    await pass(1000);
    expect(open()).to.deep.equal([]);
    store.failure = undefined;
    await registry.register('b', B);
    expect(store.names()).to.deep.equal(['b']);
    expect(changes).to.deep.equal(['added b']);
  });

  it('has a code for each refusal', async () => {
    const { registry } = await setUp();
    registry.commit(registry.prepare({ declared: A }, 'configuration'));
    await registry.register('a', A);
    const declared = /^CONFLICT: .*declared in the configuration file/;
    expect(await codeOf(registry.register('declared', B))).to.match(declared);
    expect(await codeOf(registry.update('declared', B))).to.match(declared);
    expect(await codeOf(registry.remove('declared'))).to.match(declared);
    expect(await codeOf(registry.register('a', B))).to.match(/^CONFLICT: .*exists already/);
    expect(await codeOf(registry.update('x', B))).to.match(/^SERVICE_NOT_FOUND/);
    expect(await codeOf(registry.remove('x'))).to.match(/^SERVICE_NOT_FOUND/);
    const broken = settingsOf(['https://b:1'], { tls: { cert: '/nowhere/cert.pem' } });
    expect(await codeOf(registry.register('b', broken))).to.match(/^BAD_REQUEST: services.b.tls.cert/);
    expect(registry.get('a')?.settings).to.deep.equal(A);
  });

  it('replaces a default, which comes back when the replacement is removed', async () => {
    const { registry, store, changes } = await setUp();
    registry.commit(registry.prepare({ d: A }, 'default'));
    expect(await codeOf(registry.remove('d'))).to.match(/^CONFLICT: .*default/);
    await registry.register('d', B);
    expect(registry.get('d')?.origin).to.equal('runtime');
    registry.commit(registry.prepare({ d: A }, 'default'));
    expect(registry.get('d')?.origin).to.equal('runtime');
    await registry.remove('d');
    expect(registry.get('d')?.origin).to.equal('default');
    expect(registry.get('d')?.settings).to.deep.equal(A);
    expect(store.stored).to.deep.equal([]);
    expect(changes).to.deep.equal(['added d', 'updated d', 'updated d']);
  });

  it('takes up what was stored; a declaration takes its place, and the record is kept', async () => {
    const { registry, store, logger } = await setUp([
      { name: 'a', settings: A },
      { name: 'b', settings: B },
    ]);
    registry.commit(registry.prepare({ b: A }, 'configuration'));
    expect(registry.get('a')?.origin).to.equal('runtime');
    expect(registry.get('b')?.origin).to.equal('configuration');
    expect(logger.written).to.have.length(1);
    expect(logger.written[0]).to.match(/^b .*registered at run time/);
    await registry.register('c', A);
    expect(store.names().sort()).to.deep.equal(['a', 'b', 'c']);
    registry.commit(registry.prepare({}, 'configuration'));
    expect(registry.get('b')?.origin).to.equal('runtime');
    expect(registry.get('b')?.settings).to.deep.equal(B);
  });

  it('serialises changes', async () => {
    const { registry, store } = await setUp();
    registry.commit(registry.prepare({}, 'configuration'));
    const outcomes = await Promise.all([
      codeOf(registry.register('a', A)),
      codeOf(registry.register('a', B)),
      codeOf(registry.update('a', B)),
      codeOf(registry.remove('a')),
      codeOf(registry.update('a', A)),
      ...Array.from({ length: 20 }, (_, index) => codeOf(registry.register(`s${index}`, A))),
    ]);
    expect(outcomes.slice(0, 5).map((outcome) => outcome.split(':')[0])).to.deep.equal([
      'resolved',
      'CONFLICT',
      'resolved',
      'resolved',
      'SERVICE_NOT_FOUND',
    ]);
    expect(store.names()).to.have.length(20);
    expect(registry.list()).to.have.length(20);
  });

  it('lets a change wait for a reload under way, so that neither loses the other', async () => {
    const { registry, store } = await setUp();
    registry.commit(registry.prepare({}, 'configuration'));
    let release: () => void = () => undefined;
    store.gate = new Promise((resolve) => {
      release = resolve;
    });
    const early = registry.register('early', A);
    await settle();
    const prepared = registry.prepare({ declared: B }, 'configuration');
    const late = registry.register('late', A);
    release();
    await settle();
    expect(registry.list()).to.deep.equal([]);
    registry.commit(prepared);
    expect(registry.list().map(({ name }) => name)).to.deep.equal(['declared']);
    await Promise.all([early, late]);
    expect(registry.list().map(({ name }) => name)).to.deep.equal(['declared', 'early', 'late']);
    expect([...prepared.services.keys()]).to.deep.equal(['declared']);
  });

  it('stops with nothing left: timers, pools, changes that wait', async () => {
    const { registry, clock, open } = await setUp();
    registry.commit(registry.prepare({ a: A }, 'configuration'));
    registry.prepare({ b: B }, 'configuration');
    const waiting = codeOf(registry.register('c', A));
    await settle();
    await registry.stop();
    expect(await waiting).to.match(/^GATEWAY_DRAINING/);
    expect(await codeOf(registry.register('d', A))).to.match(/^GATEWAY_DRAINING/);
    expect(open()).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
  });

  it('prepares 10,000 services on few upstreams quickly, with few checks and pools', async () => {
    const { registry, clock, pools } = await setUp();
    const names = Array.from({ length: 10_000 }, (_, index) => `s${index}`);
    const services = Object.fromEntries(
      names.map((name) => [name, settingsOf(['http://a:1', 'http://b:1'])]),
    );
    registry.commit(registry.prepare(services, 'configuration'));
    registry.commit(registry.prepare(services, 'configuration'));
    expect(registry.list()).to.have.length(10_000);
    expect(pools.size).to.equal(2);
    expect(clock.pending).to.equal(1);
  });
});
