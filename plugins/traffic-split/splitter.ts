import { hash32, mix32 } from '../../core/index.js';

/** A service that gets a share of the requests. */
export interface Variant {
  readonly service: string;
  /** Relative to the others'; 0 for none. */
  readonly weight: number;
}

/** The most variants: as many as a 32-bit set holds, with the sign left alone. */
export const MOST_VARIANTS = 30;

/**
 * Picks among variants by weight: at random, or by a key, so that equal keys always meet the same variant.
 *
 * A key's variant is the winner of weighted rendezvous hashing (Thaler and Ravishankar 1998; Resch, "New hashing
 * algorithms for data storage", 2015): each variant draws an exponential variable with its weight as the rate from the
 * hash of key and service name, and the least one wins. When a weight grows, keys move to that variant and from no other
 * to any other; when it shrinks, they move away from it only. That is the fewest that can move, and nothing is kept
 * per key.
 */
export class Splitter {
  readonly #weights: readonly number[];
  readonly #seeds: readonly number[];
  readonly #random: () => number;

  /**
   * @param variants at most {@link MOST_VARIANTS}
   * @param random in [0, 1)
   */
  constructor(variants: readonly Variant[], random: () => number) {
    this.#weights = variants.map(({ weight }) => weight);
    this.#seeds = variants.map(({ service }) => hash32(service));
    this.#random = random;
  }

  /**
   * The position of the variant for a request; -1 when none is left with a weight above 0.
   *
   * @param key what the request is known by; undefined to pick at random
   * @param without positions to leave out, as a set of bits; the others keep their keys
   */
  pick(key: string | undefined, without = 0): number {
    return key === undefined ? this.#byChance(without) : this.#byKey(hash32(key), without);
  }

  #byKey(hash: number, without: number): number {
    let winner = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let position = 0; position < this.#weights.length; position++) {
      const weight = this.#share(position, without);
      if (weight === 0) continue;
      const uniform = (mix32(hash ^ (this.#seeds[position] ?? 0)) + 0.5) / 0x1_0000_0000;
      const arrival = -Math.log(uniform) / weight;
      if (arrival < least) {
        least = arrival;
        winner = position;
      }
    }
    return winner;
  }

  #byChance(without: number): number {
    let total = 0;
    for (let position = 0; position < this.#weights.length; position++)
      total += this.#share(position, without);
    let left = this.#random() * total;
    let last = -1;
    for (let position = 0; position < this.#weights.length; position++) {
      const weight = this.#share(position, without);
      if (weight === 0) continue;
      left -= weight;
      if (left < 0) return position;
      // Rounding may leave a crumb behind the last one.
      last = position;
    }
    return last;
  }

  #share(position: number, without: number): number {
    return (without & (1 << position)) === 0 ? (this.#weights[position] ?? 0) : 0;
  }
}
