import { expect } from 'chai';
import fc from 'fast-check';
import { AbortFault, DelayFault } from '../../plugins/fault-injection/faults.js';
import { ABORT_STATUSES } from '../../plugins/fault-injection/statuses.js';

/** Numbers in [0, 1) that are the same in each run (a linear congruential generator). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const percentage = fc.double({ min: 0, max: 100, noNaN: true });
/** The lowest and the highest that Math.random gives, and one between. */
const chance = fc.constantFrom(0, 0.5, 1 - 2 ** -53);

describe('the faults of fault-injection', () => {
  it('meet the share of requests that they are to', () => {
    fc.assert(
      fc.property(percentage, fc.nat(), (share, seed) => {
        const random = numbersFrom(seed);
        const abort = new AbortFault({ percentage: share, status: 503, headerStatuses: [] }, random);
        const draws = 5000;
        let met = 0;
        for (let index = 0; index < draws; index++) if (abort.of({}) !== undefined) met++;
        const expected = share / 100;
        const tolerance = 6 * Math.sqrt((expected * (1 - expected)) / draws) + 1 / draws;
        expect(met / draws).to.be.closeTo(expected, tolerance);
      }),
      { numRuns: 50 },
    );
  });

  it('meet all at 100 percent and none at 0, whatever chance says', () => {
    fc.assert(
      fc.property(chance, (drawn) => {
        const delay = (share: number) => new DelayFault({ percentage: share, duration: 10 }, () => drawn);
        expect(delay(100).of({})).to.equal(10);
        expect(delay(0).of({})).to.equal(0);
      }),
    );
  });

  it('delay within the range, and never longer than its end, whatever a header says', () => {
    const text = fc.oneof(
      fc.string(),
      fc.nat().map((ms) => `${ms}ms`),
      fc.nat({ max: 5 }).map((seconds) => `${seconds}`),
    );
    fc.assert(
      fc.property(
        fc.nat({ max: 1000 }),
        fc.nat({ max: 1000 }),
        chance,
        text,
        (least, more, drawn, wanted) => {
          const options = { percentage: 100, duration: least, maxDuration: least + more };
          const random = () => drawn * 0.99;
          const ranged = new DelayFault(options, random).of({});
          expect(ranged).to.be.within(least, least + more);
          const asked = new DelayFault({ ...options, header: 'X-Delay' }, random).of({ 'x-delay': wanted });
          expect(asked).to.be.within(0, least + more);
        },
      ),
    );
  });

  it('give a header the delay that it asks for, up to the most', () => {
    const options = { percentage: 100, duration: 500, maxDuration: 2000, header: 'X-Delay' };
    const delay = new DelayFault(options, () => 0);
    const rows: [string | undefined, number][] = [
      [undefined, 0],
      ['', 500],
      ['yes', 500],
      ['-1', 500],
      ['250ms', 250],
      ['1', 1000],
      [' 2s ', 2000],
      ['1h', 2000],
      ['0', 0],
    ];
    for (const [asked, expected] of rows) {
      expect(delay.of(asked === undefined ? {} : { 'x-delay': asked }), asked).to.equal(expected);
    }
    const fixed = new DelayFault({ percentage: 100, duration: 500, header: 'x-delay' }, () => 0);
    expect(fixed.of({ 'x-delay': '2s' }), 'without a range').to.equal(500);
  });

  it('abort with a status that a header asks for only where that is allowed', () => {
    const options = {
      percentage: 100,
      status: 503,
      headerStatuses: [502, 'reset'],
      header: 'X-Abort',
    } as const;
    const abort = new AbortFault(options, () => 0);
    const rows: [string | undefined, number | string | undefined][] = [
      [undefined, undefined],
      ['', 503],
      ['502', 502],
      ['reset', 'reset'],
      ['500', 503],
      ['200', 503],
      ['0502', 503],
    ];
    for (const [asked, expected] of rows) {
      expect(abort.of(asked === undefined ? {} : { 'x-abort': asked }), asked).to.equal(expected);
    }
  });

  it('can abort with nothing but errors', () => {
    for (const status of ABORT_STATUSES) if (status !== 'reset') expect(status).to.be.within(400, 599);
    expect(ABORT_STATUSES).to.include.members(['reset', 429, 500, 502, 503, 504]);
    expect(new Set(ABORT_STATUSES).size).to.equal(ABORT_STATUSES.length);
  });
});
