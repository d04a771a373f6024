import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';
import { lessLoaded } from './least-connections.js';
import { untriedOf } from './untried.js';

/**
 * Draws two different targets, each as likely as its weight says, and takes the one with fewer requests under way for
 * its weight: nearly as even as least-connections, and gateways that know nothing of each other do not all run to the
 * same idle target (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
 */
export class PowerOfTwoChoices implements Balancer {
  readonly #random: () => number;
  #lottery = new Lottery([]);

  /** @param random in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  update(targets: readonly Target[]): void {
    this.#lottery = new Lottery(targets);
  }

  pick(_exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const all = this.#lottery;
    const left = untriedOf(all.targets, tried);
    return (left === all.targets ? all : new Lottery(left)).drawTwo(this.#random);
  }
}

/** Targets on a line, each as long as its weight. */
class Lottery {
  readonly targets: readonly Target[];
  /** Where each target ends on the line. */
  readonly #ends: readonly number[];
  readonly #length: number;

  constructor(targets: readonly Target[]) {
    let end = 0;
    this.targets = targets;
    this.#ends = targets.map((target) => {
      end += target.effectiveWeight;
      return end;
    });
    this.#length = end;
  }

  /** The less loaded of two different targets; the first of them when they are equal. */
  drawTwo(random: () => number): Target | undefined {
    const first = this.#at(random() * this.#length);
    const one = this.targets[first];
    if (one === undefined || this.targets.length === 1) return one;
    // The second is drawn from the line with the first one's piece taken out.
    const start = first === 0 ? 0 : (this.#ends[first - 1] ?? 0);
    const gap = (this.#ends[first] ?? 0) - start;
    const point = random() * (this.#length - gap);
    const other = this.targets[this.#at(point < start ? point : point + gap)];
    return other !== undefined && lessLoaded(other, one) ? other : one;
  }

  #at(point: number): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (point < (this.#ends[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
