import { expect } from 'chai';
import fc from 'fast-check';
import type { LoadBalancingSettings } from '../../../core/config/service-schema.js';
import type { Balancer } from '../../../core/services/balancer.js';
import { cookieValue } from '../../../core/services/balancers/hash-key.js';
import { createBalancer } from '../../../core/services/balancers/index.js';
import type { Target } from '../../../core/services/target.js';
import { exchangeOf, targetOf } from './support.js';

const ALGORITHMS = ['round-robin', 'least-connections', 'power-of-two-choices', 'consistent-hash'] as const;

function balancerOf(
  algorithm: LoadBalancingSettings['algorithm'],
  targets: readonly Target[],
  random: () => number = generator(1),
): Balancer {
  const balancer = createBalancer({ algorithm, hashOn: 'client-address' }, random);
  balancer.update(targets);
  return balancer;
}

/** Reproducible numbers in [0, 1): mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function targetsOf(weights: readonly number[]): Target[] {
  return weights.map((weight, index) => targetOf(`target-${index}`, weight));
}

function count(picks: readonly (Target | undefined)[]): Map<Target | undefined, number> {
  const counts = new Map<Target | undefined, number>();
  for (const target of picks) counts.set(target, (counts.get(target) ?? 0) + 1);
  return counts;
}

function clients(amount: number) {
  return Array.from({ length: amount }, (_, index) =>
    exchangeOf({ address: `198.51.${index >> 8}.${index & 255}` }),
  );
}

const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 });

describe('every balancer', () => {
  for (const algorithm of ALGORITHMS) {
    describe(algorithm, () => {
      it('has nothing to pick without targets, and recovers from that', () => {
        const balancer = balancerOf(algorithm, []);
        expect(balancer.pick(exchangeOf({}))).to.equal(undefined);
        expect(balancer.pick(undefined)).to.equal(undefined);
        const targets = targetsOf([1, 2]);
        balancer.update(targets);
        expect(targets).to.include(balancer.pick(exchangeOf({})));
        expect(targets).to.include(balancer.pick(undefined));
        balancer.update([]);
        expect(balancer.pick(exchangeOf({}))).to.equal(undefined);
      });

      it('picks only targets of the latest update', () => {
        const updates = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 7 })), {
          minLength: 1,
          maxLength: 6,
        });
        fc.assert(
          fc.property(updates, fc.infiniteStream(fc.integer({ min: 1, max: 400 })), (sets, stream) => {
            const all = targetsOf([...stream.take(8)]);
            const balancer = balancerOf(algorithm, []);
            for (const set of sets) {
              const present = all.filter((_, index) => set.includes(index));
              balancer.update(present);
              for (const client of clients(20)) {
                const target = balancer.pick(client);
                if (target === undefined) expect(present).to.have.length(0);
                else expect(present).to.include(target);
              }
            }
          }),
          { numRuns: algorithm === 'consistent-hash' ? 20 : 200 },
        );
      });

      it('avoids the targets that were tried, as long as another is left', () => {
        const subset = fc.array(fc.boolean(), { minLength: 6, maxLength: 6 });
        fc.assert(
          fc.property(subset, fc.boolean(), (marks, heavy) => {
            const targets = targetsOf(heavy ? [997, 991, 1, 983, 5, 7] : [3, 1, 1, 2, 5, 1]);
            const tried = targets.filter((_, index) => marks[index]);
            const balancer = balancerOf(algorithm, targets);
            for (const client of clients(10)) {
              const target = balancer.pick(client, tried);
              expect(targets).to.include(target);
              if (tried.length < targets.length) expect(tried).not.to.include(target);
            }
          }),
          { numRuns: 30 },
        );
      });

      it('takes a tried one again when it is the only one', () => {
        const [only] = targetsOf([3]);
        if (only === undefined) throw new Error('no target');
        expect(balancerOf(algorithm, [only]).pick(exchangeOf({}), [only])).to.equal(only);
      });
    });
  }
});

describe('round-robin', () => {
  it('gives every target exactly its weight in each cycle', () => {
    fc.assert(
      fc.property(weights, (list) => {
        const targets = targetsOf(list);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const balancer = balancerOf('round-robin', targets);
        for (let cycle = 0; cycle < 2; cycle++) {
          const counts = count(Array.from({ length: total }, () => balancer.pick(undefined)));
          for (const target of targets) expect(counts.get(target)).to.equal(target.weight);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('spreads the turns of a heavy target, like the smooth algorithm of nginx', () => {
    const targets = targetsOf([5, 1, 1]);
    const balancer = balancerOf('round-robin', targets);
    const order = Array.from({ length: 7 }, () => targets.indexOf(balancer.pick(undefined) as Target));
    expect(order).to.deep.equal([0, 0, 1, 0, 2, 0, 0]);
  });

  it('divides the weights by what they have in common', () => {
    const targets = targetsOf([1000, 500]);
    const balancer = balancerOf('round-robin', targets);
    const order = Array.from({ length: 6 }, () => targets.indexOf(balancer.pick(undefined) as Target));
    expect(order).to.deep.equal([0, 1, 0, 0, 1, 0]);
  });

  it('does not begin again with the first target when health changes', () => {
    const targets = targetsOf([1, 1, 1]);
    const balancer = balancerOf('round-robin', targets);
    const picks = Array.from({ length: 300 }, () => {
      balancer.update(targets);
      return balancer.pick(undefined);
    });
    for (const target of targets) expect(count(picks).get(target)).to.equal(100);
  });
});

describe('least-connections', () => {
  it('picks a target that no other undercuts, as the plain definition says', () => {
    const loads = fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 500 })), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(loads, (list) => {
        const targets = list.map(([weight, active], index) => {
          const target = targetOf(`target-${index}`, weight);
          target.active = active;
          return target;
        });
        const target = balancerOf('least-connections', targets).pick(undefined);
        const least = Math.min(...targets.map(({ active, weight }) => active / weight));
        expect((target?.active ?? Number.NaN) / (target?.weight ?? 1)).to.equal(least);
      }),
    );
  });

  it('lets equals take turns', () => {
    const targets = targetsOf([1, 1, 1, 1]);
    const balancer = balancerOf('least-connections', targets);
    const counts = count(Array.from({ length: 40 }, () => balancer.pick(undefined)));
    for (const target of targets) expect(counts.get(target)).to.equal(10);
  });

  it('fills targets in proportion to their weights', () => {
    const targets = targetsOf([1, 2, 5]);
    const balancer = balancerOf('least-connections', targets);
    for (let request = 0; request < 800; request++) {
      const target = balancer.pick(undefined);
      if (target) target.active += 1;
    }
    expect(targets.map((target) => target.active)).to.deep.equal([100, 200, 500]);
  });
});

describe('power-of-two-choices', () => {
  it('draws idle targets as their weights say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 }),
        fc.integer(),
        (list, seed) => {
          const targets = targetsOf(list);
          const total = list.reduce((sum, weight) => sum + weight, 0);
          const balancer = balancerOf('power-of-two-choices', targets, generator(seed));
          const counts = count(Array.from({ length: 10_000 }, () => balancer.pick(undefined)));
          for (const target of targets) {
            expect((counts.get(target) ?? 0) / 10_000).to.be.closeTo(target.weight / total, 0.03);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('never takes the most loaded of its targets', () => {
    const targets = targetsOf([1, 10, 1]);
    const [, busy] = targets;
    if (busy) busy.active = 1000;
    const balancer = balancerOf('power-of-two-choices', targets);
    for (let request = 0; request < 1000; request++) expect(balancer.pick(undefined)).not.to.equal(busy);
  });

  it('keeps the load even: the fullest of 10 has at most a fifth more than its share', () => {
    const targets = targetsOf(Array.from({ length: 10 }, () => 1));
    const balancer = balancerOf('power-of-two-choices', targets, generator(7));
    for (let request = 0; request < 1000; request++) {
      const target = balancer.pick(undefined);
      if (target) target.active += 1;
    }
    expect(Math.max(...targets.map((target) => target.active))).to.be.at.most(120);
  });
});

describe('consistent-hash', () => {
  it('shares the keys as the weights say', () => {
    const targets = targetsOf([1, 2, 3, 4]);
    const balancer = balancerOf('consistent-hash', targets);
    const counts = count(clients(20_000).map((client) => balancer.pick(client)));
    for (const target of targets) {
      expect((counts.get(target) ?? 0) / 20_000).to.be.closeTo(target.weight / 10, 0.03);
    }
  });

  it('moves no key but those of the target that leaves, and moves them back when it returns', () => {
    const some = fc.tuple(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 12 }),
      fc.nat({ max: 11 }),
    );
    fc.assert(
      fc.property(some, ([list, position]) => {
        const targets = targetsOf(list);
        const leaving = targets[position % targets.length];
        const requests = clients(500);
        const balancer = balancerOf('consistent-hash', targets);
        const before = requests.map((client) => balancer.pick(client));
        balancer.update(targets.filter((target) => target !== leaving));
        const without = requests.map((client) => balancer.pick(client));
        for (const [index, target] of before.entries()) {
          if (target === leaving) expect(without[index]).not.to.equal(leaving);
          else expect(without[index]).to.equal(target);
        }
        balancer.update(targets);
        expect(requests.map((client) => balancer.pick(client))).to.deep.equal(before);
      }),
      { numRuns: 20 },
    );
  });

  it('moves about 1/n of the keys when one of n equal targets leaves', () => {
    for (const amount of [2, 5, 10, 40]) {
      const targets = targetsOf(Array.from({ length: amount }, () => 1));
      const requests = clients(5000);
      const balancer = balancerOf('consistent-hash', targets);
      const before = requests.map((client) => balancer.pick(client));
      balancer.update(targets.slice(1));
      const moved = requests.filter((client, index) => balancer.pick(client) !== before[index]).length;
      expect(moved / requests.length).to.be.closeTo(1 / amount, 0.35 / amount);
    }
  });

  it('retries on the target that would have the key if the tried one had left', () => {
    const targets = targetsOf([1, 2, 3]);
    const balancer = balancerOf('consistent-hash', targets);
    const rest = balancerOf('consistent-hash', targets);
    for (const client of clients(50)) {
      const first = balancer.pick(client);
      if (first === undefined) throw new Error('no target');
      rest.update(targets.filter((target) => target !== first));
      expect(balancer.pick(client, [first])).to.equal(rest.pick(client));
    }
  });

  it('does not depend on the order of the targets', () => {
    const targets = targetsOf([1, 2, 3, 4, 5]);
    const balancer = balancerOf('consistent-hash', targets);
    const reversed = balancerOf('consistent-hash', targets.toReversed());
    for (const client of clients(100)) expect(balancer.pick(client)).to.equal(reversed.pick(client));
  });

  for (const [hashOn, hashKey, requestOf] of [
    ['header', 'X-Session', (value: string) => exchangeOf({ headers: { 'x-session': value } })],
    ['cookie', 'sid', (value: string) => exchangeOf({ headers: { cookie: `a=1; sid=${value}; b=2` } })],
    ['consumer', undefined, (value: string) => exchangeOf({ consumer: value })],
    ['client-address', undefined, (value: string) => exchangeOf({ address: value })],
  ] as const) {
    it(`hashes the ${hashOn}, and the client address where there is none`, () => {
      const settings = { algorithm: 'consistent-hash', hashOn, ...(hashKey ? { hashKey } : {}) } as const;
      const balancer = createBalancer(settings);
      balancer.update(targetsOf([1, 1, 1, 1, 1]));
      const byValue = Array.from({ length: 50 }, (_, index) => balancer.pick(requestOf(`value-${index}`)));
      expect(count(byValue).size).to.equal(5);
      expect(
        Array.from({ length: 50 }, (_, index) => balancer.pick(requestOf(`value-${index}`))),
      ).to.deep.equal(byValue);
      expect(count(clients(50).map((client) => balancer.pick(client))).size).to.equal(5);
    });
  }
});

describe('cookieValue', () => {
  const cases: [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['sid=1', '1'],
    ['xsid=1', undefined],
    ['sidx=1', undefined],
    ['a=sid=2; sid=3', '3'],
    ['sid=1; sid=2', '1'],
    ['a=1;sid=a=b ; c', 'a=b'],
    ['sid', undefined],
    ['sid=', ''],
  ];
  for (const [field, value] of cases) {
    it(`finds ${value} in ${field}`, () => expect(cookieValue(field, 'sid')).to.equal(value));
  }
});
