import { expect } from 'chai';
import fc from 'fast-check';
import type { Service } from '../../../core/services/service.js';
import { FakeClock } from '../../support/fake-clock.js';
import { registryOf, reload, settingsOf } from './support.js';

const NO_HEALTH = { enabled: false };
const URLS = ['http://a:1', 'http://b:1', 'http://c:1'];

function setUp(slowStart: { duration?: number; minimumShare?: number } = {}) {
  const clock = new FakeClock();
  const { registry } = registryOf(clock);
  const settingsFor = (urls: readonly string[], own: typeof slowStart | undefined = slowStart) =>
    settingsOf(urls, { health: NO_HEALTH, ...(own && { slowStart: own }) });
  return { clock, registry, settingsFor, service: reload(registry, settingsFor(URLS)) };
}

function setHealth(service: Service, index: number, healthy: boolean): void {
  const target = service.targets[index] ?? expect.fail(`no target ${index}`);
  target.healthy = healthy;
  service.refresh();
}

function warmths(service: Service): number[] {
  return service.targets.map(({ warmth }) => warmth);
}

describe('slow start', () => {
  it('gives a target that returned a share that grows in a straight line', () => {
    const { clock, service } = setUp({ duration: 10_000, minimumShare: 0.1 });
    expect(warmths(service), 'together with all others').to.deep.equal([100, 100, 100]);
    setHealth(service, 0, false);
    setHealth(service, 0, true);
    const grown: number[] = [];
    for (let time = 0; time <= 10_000; time += 1000) {
      grown.push(warmths(service)[0] ?? 0);
      clock.tick(1000);
    }
    expect(grown).to.deep.equal([10, 19, 28, 37, 46, 55, 64, 73, 82, 91, 100]);
    expect(warmths(service)).to.deep.equal([100, 100, 100]);
    expect(clock.pending).to.equal(0);
  });

  it('tells the balancer of each step', () => {
    const { clock, service } = setUp({ duration: 20_000, minimumShare: 0.2 });
    setHealth(service, 0, false);
    setHealth(service, 0, true);
    const share = () => {
      const picks = Array.from({ length: 2200 }, () => service.pick(undefined)?.url);
      return picks.filter((url) => url === 'http://a:1').length / 2200;
    };
    expect(share()).to.be.closeTo(0.2 / 2.2, 0.002);
    clock.tick(10_000);
    expect(share()).to.be.closeTo(0.6 / 2.6, 0.002);
    clock.tick(10_000);
    expect(share()).to.be.closeTo(1 / 3, 0.002);
  });

  it('begins for a target that was added, or got a weight', () => {
    const { registry, service, settingsFor } = setUp();
    expect(warmths(reload(registry, settingsFor([...URLS, 'http://d:1'])))).to.deep.equal([
      100, 100, 100, 10,
    ]);
    const settings = settingsFor(URLS);
    const without = { ...settings, targets: settings.targets.map((target) => ({ ...target, weight: 0 })) };
    without.targets[1] = { url: URLS[1] ?? '', weight: 1 };
    reload(registry, without);
    expect(warmths(reload(registry, settings))).to.deep.equal([10, 100, 10]);
    expect(service.targets).to.have.length(3);
  });

  it('begins for a target whose ejection is over', () => {
    const clock = new FakeClock();
    const { registry } = registryOf(clock);
    const service = reload(
      registry,
      settingsOf(URLS, { health: NO_HEALTH, slowStart: {}, outlierEjection: { baseTime: 3000 } }),
    );
    for (let failure = 0; failure < 5; failure++) service.targets[0]?.outlier?.record(false);
    clock.tick(2999);
    expect(service.targets[0]?.takesRequests).to.equal(false);
    clock.tick(1);
    expect(warmths(service)).to.deep.equal([10, 100, 100]);
  });

  it('goes on over a reload, by the settings that hold then', () => {
    const { clock, registry, service, settingsFor } = setUp({ duration: 10_000, minimumShare: 0.1 });
    setHealth(service, 0, false);
    setHealth(service, 0, true);
    clock.tick(5000);
    const longer = reload(registry, settingsFor(URLS, { duration: 20_000, minimumShare: 0.2 }));
    expect(warmths(longer)).to.deep.equal([40, 100, 100]);
    clock.tick(5000);
    expect(warmths(longer)).to.deep.equal([60, 100, 100]);
    const off = reload(registry, settingsOf(URLS, { health: NO_HEALTH }));
    expect(warmths(off)).to.deep.equal([100, 100, 100]);
    expect(clock.pending).to.equal(0);
  });

  it('leaves no timer behind when the target goes, or the registry stops', async () => {
    const { clock, registry, service, settingsFor } = setUp();
    setHealth(service, 0, false);
    setHealth(service, 0, true);
    const rest = reload(registry, settingsFor(URLS.slice(1)));
    const [lingering] = [clock.pending];
    setHealth(rest, 0, false);
    setHealth(rest, 0, true);
    expect(clock.pending).to.equal(lingering + 1);
    await registry.stop();
    expect(clock.pending).to.equal(0);
  });

  it('follows the formula through any history of health and time', () => {
    const step = fc.oneof(
      fc.record({ target: fc.nat(2), healthy: fc.boolean() }),
      fc.record({ tick: fc.integer({ min: 1, max: 3000 }) }),
    );
    const settings = fc.record({
      duration: fc.constantFrom(20, 1000, 5000),
      minimumShare: fc.constantFrom(0.01, 0.1, 0.5, 1),
    });
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 40 }), ({ duration, minimumShare }, steps) => {
        const { clock, service } = setUp({ duration, minimumShare });
        const returnedAt: (number | undefined)[] = [undefined, undefined, undefined];
        for (const action of steps) {
          if ('tick' in action) clock.tick(action.tick);
          else {
            const returns = action.healthy && service.targets[action.target]?.healthy === false;
            setHealth(service, action.target, action.healthy);
            if (returns) returnedAt[action.target] = clock.monotonic();
          }
          for (const [index, target] of service.targets.entries()) {
            if (!target.healthy) continue;
            const since = returnedAt[index];
            const age = since === undefined ? duration : clock.monotonic() - since;
            // In twenty steps.
            const progress = Math.min(Math.floor(age / (duration / 20)) / 20, 1);
            const share = Math.round(100 * (minimumShare + (1 - minimumShare) * progress));
            expect(target.warmth).to.equal(Math.max(share, 1));
          }
          expect(clock.pending).to.be.at.most(1);
        }
        clock.tick(duration);
        expect(clock.pending).to.equal(0);
      }),
      { numRuns: 2000 },
    );
  }).timeout(30_000);
});
