import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';

/** The longest cycle that is laid out beforehand. */
const LONGEST_SCHEDULE = 1024;

/**
 * Weighted round-robin, smooth: the turns of a heavy target are spread over the cycle, not in a row. In each cycle of
 * as many picks as the weights add up to (divided by their greatest common divisor), every target has exactly its
 * weight of them. A pick is one look-up, as long as the cycle has at most 1024 turns; otherwise it costs one step per
 * target.
 */
export class RoundRobin implements Balancer {
  #wheel = new SmoothWheel([]);
  #schedule: readonly Target[] | undefined = [];
  #next = 0;

  update(targets: readonly Target[]): void {
    this.#wheel = new SmoothWheel(targets);
    this.#schedule = this.#wheel.cycle <= LONGEST_SCHEDULE ? this.#wheel.layOut() : undefined;
    // Not back to the first: health that comes and goes would send it more than its share.
    this.#next = this.#schedule === undefined ? 0 : this.#next % Math.max(this.#schedule.length, 1);
  }

  pick(_exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const schedule = this.#schedule;
    if (schedule === undefined) return this.#wheel.turn(tried);
    const at = this.#next;
    if (tried !== undefined) return this.#another(schedule, tried);
    this.#next = at + 1 < schedule.length ? at + 1 : 0;
    return schedule[at];
  }

  /** A retry takes no turn: or, of two targets, each request's first attempt would go to the one that fails. */
  #another(schedule: readonly Target[], tried: readonly Target[]): Target | undefined {
    for (let step = 0; step < schedule.length; step++) {
      const other = schedule[(this.#next + step) % schedule.length];
      if (other !== undefined && !tried.includes(other)) return other;
    }
    return schedule[this.#next];
  }
}

interface Share {
  readonly target: Target;
  readonly weight: number;
  /** How far the target is behind its share; the one furthest behind has the next turn. */
  credit: number;
}

/** Smooth weighted round-robin: each turn, all earn their weight, and the richest pays the sum of what was earned. */
class SmoothWheel {
  readonly #shares: readonly Share[];
  /** Turns after which the order repeats. */
  readonly cycle: number;

  constructor(targets: readonly Target[]) {
    const divisor =
      targets.reduce((common, target) => greatestCommonDivisor(common, target.effectiveWeight), 0) || 1;
    this.#shares = targets.map((target) => ({ target, weight: target.effectiveWeight / divisor, credit: 0 }));
    this.cycle = this.#shares.reduce((sum, share) => sum + share.weight, 0);
  }

  turn(tried?: readonly Target[]): Target | undefined {
    return this.#turn(tried) ?? this.#turn(undefined);
  }

  /** One whole cycle in order. */
  layOut(): Target[] {
    const schedule: Target[] = [];
    for (let target = this.turn(); target && schedule.length < this.cycle; target = this.turn()) {
      schedule.push(target);
    }
    return schedule;
  }

  #turn(tried: readonly Target[] | undefined): Target | undefined {
    let richest: Share | undefined;
    let earned = 0;
    for (const share of this.#shares) {
      if (tried?.includes(share.target)) continue;
      share.credit += share.weight;
      earned += share.weight;
      if (richest === undefined || share.credit > richest.credit) richest = share;
    }
    if (richest === undefined) return undefined;
    richest.credit -= earned;
    return richest.target;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
