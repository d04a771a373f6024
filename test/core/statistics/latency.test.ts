import { expect } from 'chai';
import fc from 'fast-check';
import { Latencies } from '../../../core/statistics/latency.js';

const NOTHING = { p50: null, p90: null, p95: null, p99: null };

/** By the nearest-rank method, from the values themselves. */
function exactly(durations: readonly number[], share: number): number {
  const sorted = [...durations].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

describe('Latencies', () => {
  it('are within a 32nd of the exact percentiles, whatever the durations', () => {
    const durations = fc.array(fc.double({ min: 0, max: 2_000_000, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(durations, (values) => {
        const latencies = new Latencies();
        for (const value of values) latencies.record(value, 0);
        const { p50, p90, p95, p99 } = latencies.percentiles(0);
        for (const [found, share] of [
          [p50, 0.5],
          [p90, 0.9],
          [p95, 0.95],
          [p99, 0.99],
        ] as const) {
          const exact = exactly(values, share);
          // Durations are taken in whole microseconds.
          expect(found).to.be.closeTo(exact, exact / 32 + 0.001);
        }
      }),
    );
  });

  it('take what is out of range as the nearest that is not', () => {
    const latencies = new Latencies();
    latencies.record(-1, 0);
    expect(latencies.percentiles(0).p50).to.equal(0);
    for (let i = 0; i < 9; i++) latencies.record(Number.MAX_VALUE, 0);
    expect(latencies.percentiles(0).p99).to.be.within(2_000_000, 2_200_000);
  });

  it('are null where there was no request', () => {
    expect(new Latencies().percentiles(0)).to.deep.equal(NOTHING);
  });

  it('cover the last five to ten minutes', () => {
    const latencies = new Latencies();
    const minute = 60_000;
    latencies.record(10, 0);
    latencies.record(10, 4 * minute);
    expect(latencies.percentiles(5 * minute).p99).to.be.closeTo(10, 0.4);
    for (let i = 0; i < 99; i++) latencies.record(1000, 9 * minute);
    expect(latencies.percentiles(9 * minute).p50).to.be.closeTo(1000, 32);
    expect(latencies.percentiles(10 * minute).p50).to.be.closeTo(1000, 32);
    expect(latencies.percentiles(15 * minute)).to.deep.equal(NOTHING);
    const silent = new Latencies();
    silent.record(10, 0);
    expect(silent.percentiles(11 * minute)).to.deep.equal(NOTHING);
    latencies.record(5, 60 * minute);
    expect(latencies.percentiles(60 * minute).p99).to.be.closeTo(5, 0.2);
  });
});
