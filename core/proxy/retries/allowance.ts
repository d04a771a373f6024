import type { Clock } from '../../clock.js';
import type { RetryBudget, RetryGrant } from './budget.js';
import type { Pauses } from './pauses.js';

/** How often, and how long (milliseconds, up to twice that), one waits for retries of others to show whether retrying helps. */
const MOST_WAITS = 5;
const WAIT = 10;

/** The longest that {@link Allowance.take} waits, in milliseconds. */
export const MOST_PATIENCE = 2 * WAIT * MOST_WAITS;

/** What one request takes from the budget of its service: leave for one retry at a time. */
export class Allowance {
  readonly #budget: RetryBudget;
  readonly #clock: Clock;
  readonly #random: () => number;
  #grant: RetryGrant | undefined;

  constructor(budget: RetryBudget, clock: Clock, random: () => number) {
    this.#budget = budget;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Takes leave for a retry. Where the budget is spent while others are being retried, their outcome may make room: that is
   * waited for, up to 0.1 s.
   *
   * @param pauses undefined not to wait
   * @returns whether the retry may be made
   */
  async take(pauses: Pauses | undefined): Promise<boolean> {
    for (let waits = 0; this.#grant === undefined; waits++) {
      this.#grant = this.#budget.acquire(this.#clock.monotonic());
      if (this.#grant !== undefined) break;
      if (pauses === undefined || this.#budget.underWay === 0 || waits === MOST_WAITS) {
        this.#budget.exhausted++;
        return false;
      }
      await pauses.sleep(WAIT * (1 + this.#random()));
    }
    return true;
  }

  /** Says what came of the retry; harmless when there was none. */
  settle(outcome: 'won' | 'lost' | 'unused'): void {
    if (this.#grant === undefined) return;
    this.#budget.settle(this.#grant, outcome);
    this.#grant = undefined;
  }
}
