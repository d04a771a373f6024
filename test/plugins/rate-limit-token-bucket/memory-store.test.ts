import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryStore } from '../../../plugins/rate-limit-token-bucket/memory-store.js';
import { createPolicy, type Policy } from '../../../plugins/rate-limit-token-bucket/policy.js';

const policy = createPolicy({ name: 'default', requests: 60, window: 60_000, burst: 3 });

function ask(store: MemoryStore, key: string, now: number, of: Policy = policy, cost = 1) {
  return store.take([{ key, policy: of, cost }], now);
}

describe('MemoryStore', () => {
  it('has a bucket for each key', () => {
    const store = new MemoryStore(10);
    for (let i = 0; i < 3; i++) expect(ask(store, 'a', 0).admitted).to.equal(true);
    expect(ask(store, 'a', 0)).to.deep.equal({ admitted: false, policy, remaining: 0, resetAfter: 1000 });
    expect(ask(store, 'b', 0)).to.deep.equal({ admitted: true, policy, remaining: 2, resetAfter: 1000 });
    expect(store.size).to.equal(2);
  });

  it('says how long until the next token where none is left, and how long until it is full otherwise', () => {
    const store = new MemoryStore(10);
    expect(ask(store, 'a', 0).resetAfter).to.equal(1000);
    expect(ask(store, 'a', 0).resetAfter).to.equal(2000);
    expect(ask(store, 'a', 0)).to.include({ admitted: true, remaining: 0, resetAfter: 1000 });
  });

  it('keeps the bound with a million clients, and lets go of the longest unused first', () => {
    const store = new MemoryStore(10_000);
    for (let i = 0; i < 4; i++) ask(store, 'often', 0);
    for (let i = 0; i < 1_000_000; i++) {
      ask(store, `client ${i}`, 0);
      if (i % 5000 === 0) expect(ask(store, 'often', 0).admitted).to.equal(false);
      if (i % 100_000 === 0) expect(store.size).to.be.at.most(10_000);
    }
    expect(store.size).to.equal(10_000);
    expect(ask(store, 'often', 0).admitted).to.equal(false);
    expect(ask(store, 'client 999999', 0).remaining).to.equal(1);
    expect(ask(store, 'client 0', 0).remaining).to.equal(2);
  }).timeout(30_000);

  it('keeps the buckets when the bound changes, the latest used first', () => {
    const store = new MemoryStore(10);
    for (const key of ['a', 'b', 'c']) for (let i = 0; i < 3; i++) ask(store, key, 0);
    store.resize(20);
    expect(ask(store, 'a', 0).admitted).to.equal(false);
    store.resize(2);
    expect(store.size).to.equal(2);
    expect(ask(store, 'a', 0).admitted).to.equal(false);
    expect(ask(store, 'c', 0).admitted).to.equal(false);
    expect(ask(store, 'b', 0).admitted).to.equal(true);
  });

  it('takes from all buckets or from none, and never more from any than its limit', () => {
    const several = fc.array(
      fc.record({ requests: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 3, max: 20 }) }),
      { minLength: 1, maxLength: 4 },
    );
    const schedule = fc.array(
      fc.record({ pause: fc.integer({ min: 0, max: 400 }), cost: fc.integer({ min: 1, max: 3 }) }),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(several, schedule, (limits, steps) => {
        const window = 1000;
        const policies = limits.map((limit, i) => createPolicy({ name: `p${i}`, window, ...limit }));
        const store = new MemoryStore(100);
        // The same by the book: levels in thousandths of a token.
        const levels = policies.map(({ burst }) => burst * window);
        for (const [step, { pause, cost }] of steps.entries()) {
          const now = steps.slice(0, step + 1).reduce((sum, each) => sum + each.pause, 0);
          for (const [i, { burst, requests }] of policies.entries()) {
            levels[i] = Math.min(burst * window, (levels[i] ?? 0) + pause * requests);
          }
          const admits = levels.every((level) => level >= cost * window);
          if (admits) for (const [i, level] of levels.entries()) levels[i] = level - cost * window;
          const decision = store.take(
            policies.map((each) => ({ key: each.name, policy: each, cost })),
            now,
          );
          expect(decision.admitted).to.equal(admits);
          const remaining = levels.map((level) => Math.floor(level / window));
          const waits = levels.map((level, i) => (cost * window - level) / (policies[i]?.requests ?? 1));
          if (admits) {
            expect(decision.remaining).to.equal(Math.min(...remaining));
          } else {
            expect(decision.resetAfter).to.be.closeTo(Math.max(...waits), 1e-6);
            expect(decision.remaining).to.be.below(cost);
          }
          expect(decision.remaining).to.equal(remaining[policies.indexOf(decision.policy)]);
        }
      }),
    );
  });
});
