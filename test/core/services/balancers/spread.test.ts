import { expect } from 'chai';
import fc from 'fast-check';
import type { LoadBalancingSettings } from '../../../../core/config/service-schema.js';
import type { Exchange } from '../../../../core/exchange.js';
import { Service } from '../../../../core/services/service.js';
import { Target } from '../../../../core/services/target.js';
import { exchangeOf, settingsOf, targetOf } from '../support.js';

const ALGORITHMS = ['round-robin', 'least-connections', 'power-of-two-choices', 'consistent-hash'] as const;
const CLIENTS = Array.from({ length: 20_000 }, (_, index) =>
  exchangeOf({ address: `198.51.${index >> 8}.${index & 255}` }),
);

interface Declared {
  readonly weight: number;
  readonly priority: number;
}

/** A service whose targets are named and weighted as declared; they share no pool with others. */
function serviceOf(algorithm: LoadBalancingSettings['algorithm'], declared: readonly Declared[]): Service {
  const settings = settingsOf([], { loadBalancing: { algorithm } });
  const inits = declared.map((target, index) => ({ url: `http://target-${index}`, ...target }));
  const { dispatcher } = targetOf('any');
  return new Service({
    name: 'service',
    origin: 'runtime',
    settings: { ...settings, targets: inits },
    targets: inits.map((init) => new Target(init, dispatcher)),
    random: generator(1),
  });
}

/** Reproducible numbers in [0, 1): xorshift32. */
function generator(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Who may be picked, in the plainest words: the first group that has anybody; the ejected where there is nobody. */
function eligible(targets: readonly Target[]): Target[] {
  const sound = targets.filter(({ healthy, weight }) => healthy && weight > 0);
  const takers = sound.filter(({ ejected }) => !ejected);
  const able = takers.length > 0 ? takers : sound;
  const first = Math.min(...able.map(({ priority }) => priority));
  return able.filter(({ priority }) => priority === first);
}

/** Who may be picked by a request that has tried some, and with others at their limit. */
function eligibleFor(targets: readonly Target[], tried: readonly Target[]): Target[] {
  const sound = targets.filter(({ healthy, weight }) => healthy && weight > 0);
  const takers = sound.filter(({ ejected }) => !ejected);
  const able = takers.length > 0 ? takers : sound;
  const untried = able.filter((target) => !tried.includes(target));
  const free = untried.filter(({ full }) => !full);
  if (free.length > 0) return eligible(free);
  return untried.length > 0 ? eligible(untried) : eligible(able);
}

interface Change {
  readonly target: number;
  readonly healthy?: boolean;
  readonly ejected?: boolean;
  readonly warmth?: number;
  readonly full?: boolean;
}

const declared = fc.record({
  weight: fc.integer({ min: 0, max: 9 }),
  priority: fc.integer({ min: 0, max: 2 }),
});
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ target: fc.nat(7), healthy: fc.boolean() }),
  fc.record({ target: fc.nat(7), ejected: fc.boolean() }),
  fc.record({ target: fc.nat(7), warmth: fc.integer({ min: 1, max: 100 }) }),
  fc.record({ target: fc.nat(7), full: fc.boolean() }),
);
const history = fc.record({
  targets: fc.array(declared, { minLength: 1, maxLength: 8 }),
  changes: fc.array(change, { maxLength: 25 }),
});

function apply(service: Service, change: Change): void {
  const target = service.targets[change.target % service.targets.length];
  if (target === undefined) throw new Error('no target');
  target.healthy = change.healthy ?? target.healthy;
  target.ejected = change.ejected ?? target.ejected;
  target.warmth = change.warmth ?? target.warmth;
  if (change.full !== undefined) target.capacity = change.full ? 0 : Number.POSITIVE_INFINITY;
  service.refresh();
}

for (const algorithm of ALGORITHMS) {
  describe(`${algorithm}, with priorities, ejections, slow starts and limits`, () => {
    it('never picks a target that may not be picked, in any history', () => {
      const tries = fc.array(fc.nat(7), { maxLength: 4 });
      fc.assert(
        fc.property(history, tries, ({ targets, changes }, tried) => {
          const service = serviceOf(algorithm, targets);
          const avoided = service.targets.filter((_, index) => tried.includes(index));
          for (const state of changes) {
            apply(service, state);
            for (const client of CLIENTS.slice(0, 6)) {
              expectAmong(service.pick(client), eligibleFor(service.targets, []));
              expectAmong(service.pick(client, avoided), eligibleFor(service.targets, avoided));
            }
          }
        }),
        { numRuns: algorithm === 'consistent-hash' ? 300 : 2000 },
      );
    }).timeout(60_000);

    it('spreads idle targets in proportion to their effective weights, after any history', () => {
      fc.assert(
        fc.property(history, ({ targets, changes }) => {
          const service = serviceOf(algorithm, targets);
          for (const state of changes) {
            apply(service, state);
            service.pick(undefined);
          }
          for (const target of service.targets) target.capacity = Number.POSITIVE_INFINITY;
          const expected = eligible(service.targets);
          const total = expected.reduce((sum, target) => sum + target.weight * target.warmth, 0);
          const amount = 6000;
          const counts = count(service, CLIENTS.slice(0, amount));
          for (const target of expected) {
            const share = (target.weight * target.warmth) / total;
            // Those that take turns are exact but for the turn under way; the others are left to chance.
            const turns = algorithm === 'round-robin' || algorithm === 'least-connections';
            expect((counts.get(target) ?? 0) / amount).to.be.closeTo(share, turns ? 0.01 : 0.05);
          }
        }),
        { numRuns: algorithm === 'consistent-hash' ? 60 : 200 },
      );
    }).timeout(60_000);
  });
}

describe('least-connections under load', () => {
  it('fills targets in proportion to their effective weights', () => {
    const service = serviceOf('least-connections', [
      { weight: 2, priority: 0 },
      { weight: 1, priority: 0 },
      { weight: 1, priority: 0 },
    ]);
    apply(service, { target: 1, warmth: 20 });
    for (let request = 0; request < 640; request++) {
      const target = service.pick(undefined);
      if (target) target.active++;
    }
    expect(service.targets.map(({ active }) => active)).to.deep.equal([400, 40, 200]);
  });
});

describe('consistent-hash, after any history', () => {
  it('picks the same targets as one that was made anew', () => {
    fc.assert(
      fc.property(history, ({ targets, changes }) => {
        const service = serviceOf('consistent-hash', targets);
        for (const state of changes) {
          apply(service, state);
          service.pick(CLIENTS[0]);
        }
        const anew = new Service({
          name: 'anew',
          origin: 'runtime',
          settings: service.settings,
          targets: service.targets,
        });
        for (const client of CLIENTS.slice(0, 300)) expect(service.pick(client)).to.equal(anew.pick(client));
      }),
      { numRuns: 150 },
    );
  }).timeout(30_000);

  it('moves only keys to a target while it warms up', () => {
    const service = serviceOf(
      'consistent-hash',
      Array.from({ length: 5 }, () => ({ weight: 1, priority: 0 })),
    );
    const [starter] = service.targets;
    let before = CLIENTS.map((client) => service.pick(client));
    for (const warmth of [10, 30, 50, 70, 100]) {
      apply(service, { target: 0, warmth });
      const now = CLIENTS.map((client) => service.pick(client));
      const moved = now.filter((target, index) => warmth > 10 && target !== before[index]);
      expect(new Set(moved).size).to.be.at.most(1);
      for (const target of moved) expect(target).to.equal(starter);
      before = now;
    }
  });
});

describe('priority groups', () => {
  const backups = [
    { weight: 1, priority: 0 },
    { weight: 1, priority: 0 },
    { weight: 1, priority: 1 },
    { weight: 1, priority: 5 },
  ];

  it('use a backup when all before it are down, and go back when one is up', () => {
    const service = serviceOf('round-robin', backups);
    const [a, b, c, d] = service.targets;
    const seen = () => new Set(Array.from({ length: 9 }, () => service.pick(undefined)));
    expect(seen()).to.have.all.keys([a, b]);
    apply(service, { target: 0, healthy: false });
    expect(seen()).to.have.all.keys([b]);
    apply(service, { target: 1, ejected: true });
    expect(seen()).to.have.all.keys([c]);
    apply(service, { target: 2, healthy: false });
    expect(seen()).to.have.all.keys([d]);
    apply(service, { target: 1, ejected: false });
    expect(seen()).to.have.all.keys([b]);
  });

  it('pass a request on that has tried the whole group, or finds it full', () => {
    const service = serviceOf('round-robin', backups);
    const [a, b, c, d] = service.targets;
    if (!a || !b || !c || !d) throw new Error('no targets');
    expect(service.pick(undefined, [a])).to.equal(b);
    expect(service.pick(undefined, [a, b])).to.equal(c);
    expect(service.pick(undefined, [a, b, c])).to.equal(d);
    expect([a, b]).to.include(service.pick(undefined, [a, b, c, d]));
    a.capacity = 0;
    expect(service.pick(undefined)).to.equal(b);
    b.capacity = 0;
    expect(service.pick(undefined)).to.equal(c);
  });
});

function expectAmong(picked: Target | undefined, allowed: readonly Target[]): void {
  if (allowed.length === 0) expect(picked).to.equal(undefined);
  // Chai's own is slow, and this is called very often.
  else if (picked === undefined || !allowed.includes(picked)) expect.fail(`${picked?.url} was picked`);
}

function count(service: Service, clients: readonly Exchange[]): Map<Target | undefined, number> {
  const counts = new Map<Target | undefined, number>();
  for (const client of clients) {
    const target = service.pick(client);
    counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  return counts;
}
