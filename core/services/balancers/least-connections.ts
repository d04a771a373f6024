import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';

/**
 * The target with the fewest requests under way for its weight. Among equals they take turns as their weights say, so
 * that an idle service neither sends everything to its first target nor forgets the weights. A pick costs one step per
 * target.
 */
export class LeastConnections implements Balancer {
  #shares: readonly Share[] = [];

  update(targets: readonly Target[]): void {
    const known = new Map(this.#shares.map((share) => [share.target, share]));
    // Not back to the first: health that comes and goes would send it more than its share.
    this.#shares = targets.map((target) => known.get(target) ?? { target, credit: 0 });
  }

  pick(_exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    return this.#pick(tried) ?? this.#pick(undefined);
  }

  #pick(tried: readonly Target[] | undefined): Target | undefined {
    let least: Target | undefined;
    for (const { target } of this.#shares) {
      if (tried?.includes(target)) continue;
      if (least === undefined || lessLoaded(target, least)) least = target;
    }
    return least && this.#turnOfEquals(least, tried);
  }

  /** Smooth weighted round-robin among those that are no more loaded than `least`. */
  #turnOfEquals(least: Target, tried: readonly Target[] | undefined): Target {
    let richest: Share | undefined;
    let earned = 0;
    for (const share of this.#shares) {
      const { target } = share;
      if (lessLoaded(least, target) || tried?.includes(target)) continue;
      share.credit += target.effectiveWeight;
      earned += target.effectiveWeight;
      if (richest === undefined || share.credit > richest.credit) richest = share;
    }
    if (richest === undefined) return least;
    richest.credit -= earned;
    return richest.target;
  }
}

interface Share {
  readonly target: Target;
  /** How far the target is behind its turns; the one furthest behind is next. */
  credit: number;
}

/** Whether `a` has fewer requests under way for its weight than `b`. */
export function lessLoaded(a: Target, b: Target): boolean {
  return a.active * b.effectiveWeight < b.active * a.effectiveWeight;
}
