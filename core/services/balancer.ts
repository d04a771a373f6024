import type { Exchange } from '../exchange.js';
import type { Target } from './target.js';

/**
 * Picks the target of a request. One per service; told anew of its targets whenever health, weights or membership
 * change, so that a pick is a look-up.
 */
export interface Balancer {
  /**
   * Replaces the set of targets to pick from: those that may take requests, with a weight above 0. Their shares follow
   * {@link Target.effectiveWeight}.
   */
  update(targets: readonly Target[]): void;
  /**
   * The target for this request, or undefined when there is none.
   *
   * @param tried targets that earlier attempts of the same request have used; avoided where another is left
   */
  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined;
}
