import { expect } from 'chai';
import fc from 'fast-check';
import { AdaptiveLimit } from '../../../../core/services/limits/adaptive-limit.js';
import { FakeClock } from '../../../support/fake-clock.js';

const SETTINGS = { minimum: 4, initial: 20, maximum: 1000, tolerance: 0.5 };

/** An upstream that works on `workers` requests at a time, `service` ms each; the rest queue there. */
class Upstream {
  workers: number;
  service: number;
  readonly #clock: FakeClock;
  readonly #limit: AdaptiveLimit;
  readonly #queue: number[] = [];
  readonly #busy: { since: number; until: number }[] = [];
  readonly latencies: number[] = [];

  constructor(clock: FakeClock, limit: AdaptiveLimit, workers: number, service: number) {
    this.#clock = clock;
    this.#limit = limit;
    this.workers = workers;
    this.service = service;
  }

  get underWay(): number {
    return this.#queue.length + this.#busy.length;
  }

  /** Moves on by milliseconds, with as many requests on offer as the limit lets in, at most `offered`. */
  run(ms: number, offered = Number.POSITIVE_INFINITY): void {
    this.latencies.length = 0;
    for (let passed = 0; passed < ms; passed++) {
      const now = this.#clock.monotonic();
      for (const request of this.#busy.filter(({ until }) => until <= now)) {
        const underWay = this.underWay;
        this.#busy.splice(this.#busy.indexOf(request), 1);
        this.latencies.push(now - request.since);
        this.#limit.sample(now - request.since, underWay, true);
      }
      while (this.underWay < Math.min(this.#limit.limit, offered)) this.#queue.push(now);
      while (this.#busy.length < this.workers && this.#queue.length > 0) {
        const since = this.#queue.shift() ?? now;
        this.#busy.push({ since, until: now + this.service });
      }
      this.#clock.tick(1);
    }
  }
}

function setUp(workers: number, service: number, settings = SETTINGS) {
  const clock = new FakeClock();
  const limit = new AdaptiveLimit(settings, clock);
  return { clock, limit, upstream: new Upstream(clock, limit, workers, service) };
}

describe('AdaptiveLimit', () => {
  for (const [workers, service] of [
    [10, 50],
    [50, 20],
    [3, 100],
    [200, 30],
  ] as const) {
    it(`finds what ${workers} workers can take, under more load than that, and stays there`, () => {
      const { limit, upstream } = setUp(workers, service);
      upstream.run(60_000);
      for (let minute = 0; minute < 5; minute++) {
        expect(limit.limit).to.be.within(workers, workers * 2.5 + 4);
        upstream.run(60_000);
        // Most requests wait for less than two others.
        const sorted = upstream.latencies.toSorted((a, b) => a - b);
        expect(sorted[sorted.length >> 1]).to.be.at.most(service * 3.5);
        expect(upstream.latencies.length, 'throughput').to.be.at.least((60_000 / service) * workers * 0.9);
      }
    }).timeout(20_000);
  }

  it('follows when the upstream gets fewer workers, or more', () => {
    const { limit, upstream } = setUp(40, 50);
    upstream.run(50_000);
    upstream.workers = 8;
    upstream.run(10_000);
    expect(limit.limit).to.be.within(8, 24);
    upstream.workers = 40;
    upstream.run(60_000);
    expect(limit.limit).to.be.within(40, 104);
  }).timeout(20_000);

  it('accepts a new latency as that without load, after a while', () => {
    const { limit, upstream } = setUp(20, 20);
    upstream.run(50_000);
    upstream.service = 80;
    upstream.run(5000);
    expect(limit.limit, 'takes it for queueing first').to.be.below(20);
    upstream.run(180_000);
    expect(limit.limit).to.be.within(20, 54);
    expect(limit.baseline).to.be.within(80, 100);
  }).timeout(20_000);

  it('does not grow while it is not made use of', () => {
    const { limit, upstream } = setUp(100, 20);
    upstream.run(60_000, 6);
    expect(limit.limit).to.equal(20);
    expect(limit.baseline).to.be.within(20, 21);
  });

  it('backs off when many requests fail under load, not when few do or there is none', () => {
    const fail = (underWay: number, share: number) => {
      const clock = new FakeClock();
      const limit = new AdaptiveLimit(SETTINGS, clock);
      for (let sample = 0; sample < 200; sample++) {
        clock.tick(10);
        limit.sample(10, underWay, sample % 100 >= share * 100);
      }
      return limit.limit;
    };
    expect(fail(20, 1)).to.be.below(5);
    expect(fail(3, 1)).to.equal(20);
    expect(fail(20, 0)).to.be.above(20);
  });

  it('never leaves its bounds, whatever it is told', () => {
    const bounds = fc.record({
      minimum: fc.integer({ min: 1, max: 50 }),
      initial: fc.integer({ min: 1, max: 200 }),
      maximum: fc.integer({ min: 1, max: 100 }),
      tolerance: fc.double({ min: 0, max: 10, noNaN: true }),
    });
    const ceilings = fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined });
    const samples = fc.array(
      fc.record({
        latency: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
        underWay: fc.integer({ min: 1, max: 300 }),
        ok: fc.boolean(),
        pause: fc.constantFrom(0, 1, 20, 200, 40_000),
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(bounds, ceilings, samples, (settings, ceiling, list) => {
        const clock = new FakeClock();
        const limit = new AdaptiveLimit(settings, clock, ceiling);
        const most = Math.min(settings.maximum, ceiling ?? settings.maximum);
        const least = Math.min(settings.minimum, most);
        for (const { latency, underWay, ok, pause } of list) {
          clock.tick(pause);
          limit.sample(latency, underWay, ok);
          expect(limit.limit).to.be.within(least, most);
          expect(Number.isInteger(limit.limit)).to.equal(true);
        }
      }),
      { numRuns: 1000 },
    );
  }).timeout(20_000);
});
