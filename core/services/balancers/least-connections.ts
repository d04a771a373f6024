import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';
import { untriedOf } from './untried.js';

/**
 * The target with the fewest requests under way for its weight. Among equals they take turns, so that an idle service
 * does not send everything to its first target. A pick costs one step per target.
 */
export class LeastConnections implements Balancer {
  #targets: readonly Target[] = [];
  #turn = 0;

  update(targets: readonly Target[]): void {
    this.#targets = targets;
    this.#turn = 0;
  }

  pick(_exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const targets = untriedOf(this.#targets, tried);
    if (targets.length === 0) return undefined;
    const first = this.#turn % targets.length;
    this.#turn = first + 1;
    let least = targets[first];
    for (let step = 1; step < targets.length; step++) {
      const target = targets[(first + step) % targets.length];
      if (target && least && lessLoaded(target, least)) least = target;
    }
    return least;
  }
}

/** Whether `a` has fewer requests under way for its weight than `b`. */
export function lessLoaded(a: Target, b: Target): boolean {
  return a.active * b.weight < b.active * a.weight;
}
