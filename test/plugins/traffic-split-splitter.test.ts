import { expect } from 'chai';
import fc from 'fast-check';
import { Splitter, type Variant } from '../../plugins/traffic-split/splitter.js';

const KEYS = Array.from({ length: 4000 }, (_, index) => `consumer-${index * 7919}`);

/** Weights of 2 to 6 services, at least one of them above 0. */
const weights = fc
  .array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 6 })
  .filter((all) => all.some((weight) => weight > 0));

const variants = (all: readonly number[]): Variant[] =>
  all.map((weight, position) => ({ service: `orders-v${position}`, weight }));

/** Numbers in [0, 1) that are the same in each run (a linear congruential generator). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const noChance = () => {
  throw new Error('A key leaves nothing to chance');
};

const share = (all: readonly number[], position: number) =>
  (all[position] ?? 0) / all.reduce((sum, weight) => sum + weight, 0);

/** How many of so many requests each variant got. */
function count(all: readonly number[], picks: readonly number[]): number[] {
  return all.map((_, position) => picks.filter((pick) => pick === position).length);
}

/** Six standard deviations of a share that is drawn `draws` times, and a little for rounding. */
const tolerance = (expected: number, draws: number) =>
  6 * Math.sqrt((expected * (1 - expected)) / draws) + 1 / draws;

describe('the splitter of traffic-split', () => {
  it('gives each variant its share, by chance', () => {
    fc.assert(
      fc.property(weights, fc.nat(), (all, seed) => {
        const splitter = new Splitter(variants(all), numbersFrom(seed));
        const counts = count(
          all,
          KEYS.map(() => splitter.pick(undefined)),
        );
        for (const [position, got] of counts.entries()) {
          const expected = share(all, position);
          expect(got / KEYS.length).to.be.closeTo(expected, tolerance(expected, KEYS.length));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('gives each variant its share of the keys', () => {
    fc.assert(
      fc.property(weights, (all) => {
        const splitter = new Splitter(variants(all), noChance);
        const counts = count(
          all,
          KEYS.map((key) => splitter.pick(key)),
        );
        for (const [position, got] of counts.entries()) {
          const expected = share(all, position);
          expect(got / KEYS.length).to.be.closeTo(expected, tolerance(expected, KEYS.length));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('gives a key the same variant, whatever came in between', () => {
    fc.assert(
      fc.property(weights, fc.array(fc.string()), (all, keys) => {
        const splitter = new Splitter(variants(all), noChance);
        const before = keys.map((key) => splitter.pick(key));
        const again = new Splitter(variants(all), noChance);
        expect(keys.toReversed().map((key) => again.pick(key))).to.deep.equal(before.toReversed());
      }),
    );
  });

  it('moves keys to a variant whose weight grew and from one whose weight shrank, and no others', () => {
    fc.assert(
      fc.property(weights, fc.nat({ max: 5 }), fc.integer({ min: 0, max: 100 }), (all, which, weight) => {
        const changed = which % all.length;
        const later = all.with(changed, weight);
        if (later.every((each) => each === 0)) return;
        const before = new Splitter(variants(all), noChance);
        const after = new Splitter(variants(later), noChance);
        const grew = weight > (all[changed] ?? 0);
        let moved = 0;
        for (const key of KEYS) {
          const [from, to] = [before.pick(key), after.pick(key)];
          if (from === to) continue;
          moved++;
          expect(grew ? to : from).to.equal(changed);
        }
        // No more than the share that the change moves.
        const least = Math.abs(share(later, changed) - share(all, changed));
        expect(moved / KEYS.length).to.be.closeTo(least, tolerance(least, KEYS.length));
      }),
      { numRuns: 100 },
    );
  });

  it('leaves all keys where they are when all weights grow alike', () => {
    const splitter = new Splitter(variants([3, 1, 6]), noChance);
    const larger = new Splitter(variants([30, 10, 60]), noChance);
    for (const key of KEYS) expect(larger.pick(key)).to.equal(splitter.pick(key));
  });

  it('moves no other key when a variant is left out', () => {
    fc.assert(
      fc.property(weights, fc.nat({ max: 5 }), (all, which) => {
        const left = which % all.length;
        const splitter = new Splitter(variants(all), noChance);
        const others = all.some((weight, position) => weight > 0 && position !== left);
        for (const key of KEYS.slice(0, 500)) {
          const usual = splitter.pick(key);
          const pick = splitter.pick(key, 1 << left);
          expect(pick).not.to.equal(left);
          if (!others) expect(pick).to.equal(-1);
          else if (usual !== left) expect(pick).to.equal(usual);
          else expect(all[pick]).to.be.greaterThan(0);
        }
      }),
    );
  });

  it('never picks a weight of 0 or what is left out, at the ends of chance as well', () => {
    fc.assert(
      fc.property(
        weights,
        fc.constantFrom(0, 0.5, 1 - 2 ** -53),
        fc.nat({ max: 63 }),
        (all, chance, without) => {
          const position = new Splitter(variants(all), () => chance).pick(undefined, without);
          const usable = all.filter((weight, each) => weight > 0 && (without & (1 << each)) === 0);
          if (usable.length === 0) expect(position).to.equal(-1);
          else {
            expect(all[position]).to.be.greaterThan(0);
            expect(without & (1 << position)).to.equal(0);
          }
        },
      ),
    );
  });
});
