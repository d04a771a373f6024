import { expect } from 'chai';
import fc from 'fast-check';
import { TokenBucket } from '../../../plugins/rate-limit-token-bucket/bucket.js';

const limits = fc.record({
  requests: fc.integer({ min: 1, max: 5000 }),
  window: fc.constantFrom(1, 7, 250, 1000, 60_000, 3_600_000, 86_400_000),
  burst: fc.integer({ min: 1, max: 5000 }),
});

/** Takes one after the other at these pauses; gives what was admitted and how much time went by. */
function run(bucket: TokenBucket, steps: readonly { pause: number; cost: number }[]) {
  let now = 0;
  let admitted = 0;
  for (const { pause, cost } of steps) {
    now += pause;
    bucket.refill(now);
    if (!bucket.has(cost)) continue;
    bucket.take(cost);
    admitted += cost;
  }
  return { admitted, elapsed: now };
}

const steps = (pause: fc.Arbitrary<number>) =>
  fc.array(fc.record({ pause, cost: fc.integer({ min: 1, max: 3 }) }), { maxLength: 400 });

describe('TokenBucket', () => {
  it('is full at first, and holds no more than that', () => {
    const bucket = new TokenBucket({ requests: 60, window: 60_000, burst: 5 }, 0);
    expect(bucket.remaining).to.equal(5);
    bucket.refill(1e9);
    expect(bucket.remaining).to.equal(5);
    bucket.take(5);
    expect(bucket.has(1)).to.equal(false);
    expect(bucket.timeUntil(1)).to.equal(1000);
    expect(bucket.timeUntil(5)).to.equal(5000);
  });

  it('fills continuously', () => {
    const bucket = new TokenBucket({ requests: 100, window: 60_000, burst: 100 }, 0);
    bucket.take(100);
    bucket.refill(599);
    expect(bucket.has(1)).to.equal(false);
    bucket.refill(600);
    expect(bucket.has(1)).to.equal(true);
    bucket.refill(30_000);
    expect(bucket.remaining).to.equal(50);
  });

  it('admits at most burst + rate × time over any schedule of whole milliseconds', () => {
    fc.assert(
      fc.property(limits, steps(fc.integer({ min: 0, max: 5000 })), (limit, schedule) => {
        const { admitted, elapsed } = run(new TokenBucket(limit, 0), schedule);
        // In whole numbers, so that nothing is left to rounding.
        const granted = BigInt(limit.burst) * BigInt(limit.window) + BigInt(elapsed) * BigInt(limit.requests);
        expect(BigInt(admitted) * BigInt(limit.window) <= granted).to.equal(true);
      }),
    );
  });

  it('admits at most burst + rate × time over any schedule of fractions, but for the last digit', () => {
    fc.assert(
      fc.property(
        limits,
        steps(fc.double({ min: 0, max: 5000, noNaN: true })),
        fc.double({ min: 0, max: 1e10, noNaN: true }),
        (limit, schedule, start) => {
          const bucket = new TokenBucket(limit, start);
          let now = start;
          let admitted = 0;
          for (const { pause, cost } of schedule) {
            now += pause;
            bucket.refill(now);
            if (!bucket.has(cost)) continue;
            bucket.take(cost);
            admitted += cost;
          }
          const most = limit.burst + ((now - start) * limit.requests) / limit.window;
          expect(admitted).to.be.at.most(most * (1 + 1e-9) + 1e-6);
        },
      ),
    );
  });

  it('does not drift: whoever takes as fast as it fills gets exactly the rate', () => {
    const bucket = new TokenBucket({ requests: 7, window: 1000, burst: 1 }, 0);
    let admitted = 0;
    for (let now = 0; now <= 1_000_000; now++) {
      bucket.refill(now);
      if (!bucket.has(1)) continue;
      bucket.take(1);
      admitted++;
    }
    // A bucket of one loses what comes in while it is full: each of the waits is rounded up to a millisecond.
    expect(admitted).to.equal(1 + Math.floor(1_000_000 / 143));
    const wide = new TokenBucket({ requests: 7, window: 1000, burst: 2 }, 0);
    let many = 0;
    for (let now = 0; now <= 1_000_000; now++) {
      wide.refill(now);
      if (!wide.has(1)) continue;
      wide.take(1);
      many++;
    }
    expect(many).to.equal(2 + 7000);
  });

  it('stands still while the clock goes back, and admits no more for it', () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 200 }),
        (limit, pauses) => {
          const bucket = new TokenBucket(limit, 0);
          let now = 0;
          let latest = 0;
          let admitted = 0;
          for (const pause of pauses) {
            now += pause;
            latest = Math.max(latest, now);
            bucket.refill(now);
            expect(bucket.remaining).to.be.within(0, limit.burst);
            if (!bucket.has(1)) continue;
            bucket.take(1);
            admitted++;
          }
          expect(admitted).to.be.at.most(limit.burst + (latest * limit.requests) / limit.window);
        },
      ),
    );
  });

  it('has the tokens when it said that it would, and not a millisecond before', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 5000 }), (limit, wanted) => {
        const cost = Math.min(wanted, limit.burst);
        const bucket = new TokenBucket(limit, 0);
        bucket.take(limit.burst);
        const wait = Math.ceil(bucket.timeUntil(cost));
        bucket.refill(wait - 1);
        expect(bucket.has(cost)).to.equal(false);
        bucket.refill(wait);
        expect(bucket.has(cost)).to.equal(true);
        expect(bucket.timeUntil(cost)).to.equal(0);
      }),
    );
  });
});
