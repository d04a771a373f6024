import { expect } from 'chai';
import fc from 'fast-check';
import { SlidingWindow } from '../../../plugins/circuit-breaker/sliding-window.js';

const SLICES = 16;

describe('SlidingWindow', () => {
  it('counts calls, and their shares of failures and slow ones', () => {
    const window = new SlidingWindow(16_000);
    expect([window.calls, window.failureRatio, window.slowRatio]).to.deep.equal([0, 0, 0]);
    window.add(0, true, false);
    window.add(10, false, true);
    window.add(20, true, true);
    window.add(30, false, false);
    expect([window.calls, window.failureRatio, window.slowRatio]).to.deep.equal([4, 0.5, 0.5]);
    window.clear();
    expect([window.calls, window.failureRatio, window.slowRatio]).to.deep.equal([0, 0, 0]);
  });

  it('lets go of calls after 15/16 to the whole of its length', () => {
    const window = new SlidingWindow(16_000);
    window.add(999, true, false);
    window.add(15_999, false, false);
    expect(window.calls).to.equal(2);
    window.add(16_000, false, false);
    expect(window.calls, 'the first slice is gone').to.equal(2);
    expect(window.failureRatio).to.equal(0);
  });

  it('is empty but for the newest call after a long pause, also one of a whole number of windows', () => {
    for (const pause of [16_000, 32_000, 1_000_000_007]) {
      const window = new SlidingWindow(16_000);
      for (let at = 0; at < 16_000; at += 500) window.add(at, true, true);
      window.add(15_500 + pause, false, false);
      expect([window.calls, window.failureRatio, window.slowRatio]).to.deep.equal([1, 0, 0]);
    }
  });

  it('says the same as a list of all calls, for any history', () => {
    const call = fc.record({ pause: fc.nat(3000), failed: fc.boolean(), slow: fc.boolean() });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.array(fc.oneof(call, fc.constant(undefined)), { maxLength: 80 }),
        (length, calls) => {
          const window = new SlidingWindow(length);
          let list: { slice: number; failed: boolean; slow: boolean }[] = [];
          let now = 0;
          for (const each of calls) {
            if (each === undefined) {
              window.clear();
              list = [];
            } else {
              now += each.pause;
              window.add(now, each.failed, each.slow);
              list.push({ slice: Math.floor(now / (length / SLICES)), ...each });
            }
            const newest = list.at(-1)?.slice ?? 0;
            const inside = list.filter(({ slice }) => slice > newest - SLICES);
            const share = (part: number) => (inside.length === 0 ? 0 : part / inside.length);
            expect(window.calls).to.equal(inside.length);
            expect(window.failureRatio).to.equal(share(inside.filter(({ failed }) => failed).length));
            expect(window.slowRatio).to.equal(share(inside.filter(({ slow }) => slow).length));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
