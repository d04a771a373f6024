import { expect } from 'chai';
import fc from 'fast-check';
import type { OutlierEjectionSettings } from '../../../../core/config/service-schema.js';
import { GatewayEvents } from '../../../../core/events.js';
import { HealthChecker } from '../../../../core/services/health.js';
import { OutlierEjection } from '../../../../core/services/outliers/ejection.js';
import type { Service } from '../../../../core/services/service.js';
import type { Target } from '../../../../core/services/target.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { registryOf, reload, serviceOf, settingsOf, settle } from '../support.js';
import { EjectionModel } from './ejection-model.js';

const URLS = ['http://a:1', 'http://b:1', 'http://c:1', 'http://d:1', 'http://e:1', 'http://f:1'];
const NO_HEALTH = { enabled: false };

function setUp(amount: number, policy: Partial<OutlierEjectionSettings> = {}) {
  const clock = new FakeClock();
  const { registry, events } = registryOf(clock);
  const settingsFor = (urls: readonly (string | [string, number])[], own = policy) =>
    settingsOf(urls, { health: NO_HEALTH, outlierEjection: own });
  const service = reload(registry, settingsFor(URLS.slice(0, amount)));
  const said: string[] = [];
  events.on('target.ejected', ({ target, period, reason }) => said.push(`${target} out ${period} ${reason}`));
  events.on('target.returned', ({ target, reason }) => said.push(`${target} back ${reason}`));
  return { clock, registry, events, settingsFor, service, said };
}

function at(service: Service, index: number): Target {
  return service.targets[index] ?? expect.fail(`no target ${index}`);
}

function fail(service: Service, index: number, times: number): void {
  for (let time = 0; time < times; time++) at(service, index).outlier?.record(false);
}

function picks(service: Service, amount = 30): Set<string | undefined> {
  return new Set(Array.from({ length: amount }, () => service.pick(undefined)?.url));
}

describe('outlier ejection', () => {
  it('takes a target out after failures in a row, and back when its time is over', () => {
    const { service, clock, said } = setUp(3);
    fail(service, 0, 4);
    at(service, 0).outlier?.record(true);
    fail(service, 0, 4);
    expect(said).to.deep.equal([]);
    fail(service, 0, 1);
    expect(said).to.deep.equal(['http://a:1 out 10000 consecutive-failures']);
    expect(at(service, 0).ejected).to.equal(true);
    expect(picks(service)).to.have.all.keys('http://b:1', 'http://c:1');
    clock.tick(9999);
    expect(picks(service)).not.to.include('http://a:1');
    clock.tick(1);
    expect(said.slice(1)).to.deep.equal(['http://a:1 back time']);
    expect(picks(service)).to.include('http://a:1');
    expect(clock.pending).to.equal(0);
  });

  it('takes a target out by its share of failures, once there were enough requests', () => {
    const { service, clock, said } = setUp(3, {
      consecutiveFailures: 0,
      failureRatio: 0.5,
      minimumVolume: 10,
    });
    for (let round = 0; round < 4; round++) {
      at(service, 0).outlier?.record(true);
      fail(service, 0, 1);
    }
    at(service, 0).outlier?.record(true);
    expect(said).to.deep.equal([]);
    clock.tick(5000);
    fail(service, 0, 1);
    expect(said).to.deep.equal(['http://a:1 out 10000 failure-ratio']);
    // Of those before, none is left in the window.
    clock.tick(20_000);
    fail(service, 1, 9);
    clock.tick(10_000);
    fail(service, 1, 9);
    expect(said).to.have.length(2);
    fail(service, 1, 1);
    expect(said).to.have.length(3);
  });

  it('ejects for twice as long each time, up to the longest, and forgets by and by', () => {
    const { service, clock, said } = setUp(2, { consecutiveFailures: 1, baseTime: 1000, maxTime: 5000 });
    const periods = () => said.flatMap((line) => / out (\d+)/.exec(line)?.[1] ?? []).map(Number);
    for (const period of [1000, 2000, 4000, 5000, 5000]) {
      fail(service, 0, 1);
      expect(periods().at(-1)).to.equal(period);
      clock.tick(period);
    }
    // As long in service as the latest ejection took: one step back. Then two more.
    clock.tick(5000);
    fail(service, 0, 1);
    expect(periods().at(-1)).to.equal(5000);
    clock.tick(5000 + 5000 + 4000);
    fail(service, 0, 1);
    expect(periods().at(-1)).to.equal(4000);
    clock.tick(4000 + 4000 + 2000 + 1000);
    fail(service, 0, 1);
    expect(periods().at(-1)).to.equal(1000);
  });

  it('never ejects the only target, nor the last that takes requests', () => {
    const one = setUp(1, { maxShare: 1 });
    fail(one.service, 0, 100);
    expect(one.said).to.deep.equal([]);
    const three = setUp(3, { maxShare: 1 });
    for (const index of [0, 1, 2]) fail(three.service, index, 100);
    expect(three.said).to.have.length(2);
    const sick = setUp(3, { maxShare: 1 });
    for (const index of [1, 2]) at(sick.service, index).healthy = false;
    sick.service.refresh();
    fail(sick.service, 0, 100);
    expect(sick.said).to.deep.equal([]);
  });

  it('never ejects more than the share, and the next one as soon as it may', () => {
    const { service, clock, said } = setUp(5, { maxShare: 0.4, consecutiveFailures: 1 });
    for (const index of [0, 1, 2]) fail(service, index, 3);
    expect(service.targets.map(({ ejected }) => ejected)).to.deep.equal([true, true, false, false, false]);
    clock.tick(10_000);
    said.length = 0;
    fail(service, 2, 1);
    expect(said).to.deep.equal(['http://c:1 out 10000 consecutive-failures']);
  });

  it('leaves a share of less than one target at none', () => {
    const { service, said } = setUp(3, { maxShare: 0.3 });
    fail(service, 0, 100);
    expect(said).to.deep.equal([]);
  });

  it('prefers an ejected target to none at all', () => {
    const { service } = setUp(2);
    fail(service, 0, 5);
    at(service, 1).healthy = false;
    service.refresh();
    expect(picks(service)).to.have.all.keys('http://a:1');
    at(service, 0).healthy = false;
    service.refresh();
    expect(service.pick(undefined)).to.equal(undefined);
  });

  it('passes over what ends while the target is out', () => {
    const { service, clock, said } = setUp(2);
    fail(service, 0, 9);
    clock.tick(10_000);
    fail(service, 0, 4);
    expect(said).to.have.length(2);
    expect(at(service, 0).outlier?.ejections).to.equal(1);
  });

  it('ends when health checks find that the target was down and has recovered, not while they find it well', async () => {
    const clock = new FakeClock();
    const events = new GatewayEvents();
    let status = 200;
    const checker = new HealthChecker({ clock, events, probe: async () => status, random: () => 0.5 });
    const ejection = new OutlierEjection({ clock, events });
    const settings = { health: { interval: 1000, fall: 1 }, outlierEjection: { baseTime: 3_600_000 } };
    const service = serviceOf('service', settingsOf(URLS.slice(0, 2), settings));
    const reasons: string[] = [];
    events.on('target.returned', ({ reason }) => reasons.push(reason));
    checker.watch(service);
    ejection.watch(service);
    const pass = async () => {
      clock.tick(1000);
      await settle();
    };
    fail(service, 0, 5);
    await pass();
    await pass();
    expect(at(service, 0).ejected).to.equal(true);
    expect(ejection.size).to.equal(1);
    status = 500;
    await pass();
    status = 200;
    await pass();
    expect(at(service, 0).ejected).to.equal(false);
    expect(reasons).to.deep.equal(['health-check']);
    expect(ejection.size).to.equal(0);
    await checker.stop();
    expect(clock.pending).to.equal(0);
  });

  it('goes on over a reload, and starts fresh with another policy', () => {
    const { registry, service, clock, settingsFor, said } = setUp(3);
    fail(service, 0, 5);
    fail(service, 1, 4);
    const more = reload(registry, settingsFor(URLS.slice(0, 4)));
    expect(more).not.to.equal(service);
    expect(picks(more)).to.have.all.keys(URLS.slice(1, 4));
    fail(more, 1, 1);
    expect(picks(more)).to.have.all.keys(URLS.slice(2, 4));
    clock.tick(10_000);
    expect(picks(more)).to.have.all.keys(URLS.slice(0, 4));
    fail(more, 0, 5);
    said.length = 0;
    const other = reload(registry, settingsFor(URLS.slice(0, 4), { consecutiveFailures: 2 }));
    expect(said).to.deep.equal(['http://a:1 back policy']);
    fail(other, 1, 2);
    expect(said.slice(1)).to.deep.equal(['http://b:1 out 10000 consecutive-failures']);
    const off = reload(registry, settingsFor(URLS.slice(0, 4), { consecutiveFailures: 0 }));
    expect(off.targets.map(({ outlier }) => outlier)).to.deep.equal([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(picks(off)).to.have.all.keys(URLS.slice(0, 4));
    expect(clock.pending).to.equal(0);
  });

  it('takes targets back when a reload leaves fewer than it may spare', () => {
    const { registry, service, clock, settingsFor, said } = setUp(4);
    fail(service, 0, 5);
    clock.tick(1);
    fail(service, 1, 5);
    said.length = 0;
    const two = reload(registry, settingsFor(URLS.slice(0, 2)));
    expect(said).to.deep.equal(['http://a:1 back share']);
    expect(picks(two)).to.have.all.keys('http://a:1');
  });

  it('does not count targets without a weight', () => {
    const { registry, settingsFor } = setUp(1);
    const service = reload(registry, settingsFor(['http://a:1', ['http://b:1', 0], ['http://c:1', 0]]));
    fail(service, 0, 100);
    expect(at(service, 0).ejected).to.equal(false);
  });

  it('is not kept from it by a listener that throws', () => {
    const { service, events, clock } = setUp(2);
    events.prependListener('target.ejected', () => {
      throw new Error('listener');
    });
    fail(service, 0, 5);
    expect(at(service, 0).ejected).to.equal(true);
    clock.tick(10_000);
    expect(at(service, 0).ejected).to.equal(false);
  });

  it('leaves no timer behind when the service goes, or the registry stops', async () => {
    const { registry, service, clock, settingsFor } = setUp(2);
    fail(service, 0, 5);
    reload(registry, settingsFor(URLS.slice(2, 4)));
    clock.tick(30_000);
    await settle();
    expect(clock.pending).to.equal(0);
    fail(registry.get('service') ?? service, 0, 5);
    expect(clock.pending).to.equal(1);
    await registry.stop();
    expect(clock.pending).to.equal(0);
  });
});

describe('outlier ejection, against a model', () => {
  const policy = fc.record({
    consecutiveFailures: fc.integer({ min: 0, max: 4 }),
    failureRatio: fc.constantFrom(0, 0.25, 0.5, 1),
    window: fc.constant(1000),
    minimumVolume: fc.integer({ min: 1, max: 8 }),
    baseTime: fc.constantFrom(100, 700),
    maxTime: fc.constantFrom(50, 700, 3000),
    maxShare: fc.constantFrom(0, 0.2, 0.34, 0.5, 1),
  });
  const active = policy.filter((p) => p.consecutiveFailures > 0 || p.failureRatio > 0);
  const urls = fc.subarray(URLS, { minLength: 1 });
  const step = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ target: fc.nat(5), ok: fc.boolean(), times: fc.integer({ min: 1, max: 5 }) }),
    },
    { weight: 6, arbitrary: fc.record({ tick: fc.constantFrom(1, 50, 99, 100, 400, 1000, 5000) }) },
    { weight: 2, arbitrary: fc.record({ target: fc.nat(5), healthy: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ urls, policy: fc.option(active, { nil: undefined }) }) },
  );

  it('ejects and takes back whom the model does, in every history', () => {
    fc.assert(
      fc.property(active, urls, fc.array(step, { maxLength: 60 }), (first, names, steps) => {
        const clock = new FakeClock();
        const { registry, events } = registryOf(clock);
        const said: string[] = [];
        events.on('target.ejected', ({ target, period }) => said.push(`${target} out: ${period}`));
        events.on('target.returned', ({ target, reason }) => said.push(`${target} back: ${reason}`));
        const model = new EjectionModel(first, names);
        let own = first;
        const apply = (list: readonly string[]) =>
          reload(registry, settingsOf(list, { health: NO_HEALTH, outlierEjection: own }));
        let service = apply(names);
        for (const action of steps) {
          if ('tick' in action) {
            clock.tick(action.tick);
            model.tick(action.tick);
          } else if ('urls' in action) {
            own = action.policy ?? own;
            // With nothing changed a reload keeps the service, its health too.
            const healthy = service.targets.map((target) => target.healthy);
            const previous = service;
            service = apply(action.urls);
            if (service !== previous) model.reload(own, action.urls);
            else expect(service.targets.map((target) => target.healthy)).to.deep.equal(healthy);
          } else {
            const target = at(service, action.target % service.targets.length);
            if ('ok' in action) {
              for (let time = 0; time < action.times; time++) {
                target.outlier?.record(action.ok);
                model.record(target.url, action.ok);
              }
            } else {
              const recovers = action.healthy && !target.healthy;
              target.healthy = action.healthy;
              if (recovers) target.outlier?.recovered();
              service.refresh();
              model.setHealth(target.url, action.healthy);
            }
          }
          // What falls due at the same time has no order.
          expect(said.splice(0).sort()).to.deep.equal(model.said.splice(0).sort());
          const out = service.targets.filter(({ ejected }) => ejected);
          expect(out.map(({ url }) => url)).to.deep.equal(
            model.targets.flatMap(({ name, ejectedUntil }) => (ejectedUntil === undefined ? [] : [name])),
          );
          expect(out.length).to.be.at.most(own.maxShare * service.targets.length);
          const usable = service.targets.filter(({ healthy, ejected }) => healthy && !ejected);
          if (usable.length > 0) expect(usable).to.include(service.pick(undefined));
        }
      }),
      { numRuns: 3000 },
    );
  }).timeout(60_000);
});
