import { expect } from 'chai';
import fc from 'fast-check';
import { Sampling, statusRange } from '../../plugins/access-log/sampling.js';

const all = { sample: 1, rules: [], slow: undefined };

describe('access-log: sampling', () => {
  it('reads statuses', () => {
    expect(statusRange(404)).to.deep.equal([404, 404]);
    expect(statusRange('4xx')).to.deep.equal([400, 499]);
    expect(statusRange('400-403')).to.deep.equal([400, 403]);
    expect(statusRange('>=500')).to.deep.equal([500, 599]);
  });

  it('takes everything by default', () => {
    const sampling = new Sampling(all, () => 0.999999);
    for (const status of [101, 200, 404, 499, 503]) expect(sampling.take(status, 0)).to.equal(1);
  });

  it('takes the first rule that is about a status', () => {
    const rules = [
      { status: 404, sample: 0 },
      { status: '>=400', sample: 1 },
      { status: '2xx', sample: 0.1 },
      { status: '200-299', sample: 1 },
    ];
    const sampling = new Sampling({ ...all, sample: 0.5, rules }, () => 0.3);
    expect([404, 403, 599, 200, 301, 700].map((status) => sampling.take(status, 0))).to.deep.equal([
      0, 1, 1, 0, 0.5, 0.5,
    ]);
  });

  it('takes what was slow in any case', () => {
    const sampling = new Sampling({ sample: 0, rules: [{ status: '2xx', sample: 0 }], slow: 1000 });
    expect(sampling.take(200, 999.9)).to.equal(0);
    expect(sampling.take(200, 1000)).to.equal(1);
  });

  it('takes a request where the dice show less than its share, and says what share that was', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 100, max: 599 }),
        (sample, dice, status) => {
          const taken = new Sampling({ ...all, sample }, () => dice).take(status, 0);
          expect(taken).to.equal(dice < sample ? sample : 0);
        },
      ),
    );
  });
});
