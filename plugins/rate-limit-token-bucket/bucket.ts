/** What a bucket holds and how fast it fills. */
export interface Limit {
  /** Tokens that come in during one window; at least 1. */
  readonly requests: number;
  /** Milliseconds, above 0. */
  readonly window: number;
  /** Tokens that a full bucket holds; at least 1. */
  readonly burst: number;
}

/**
 * A token bucket: full at first, it fills continuously at `requests` per `window` up to `burst`. It has no timer; it
 * works out what has come in when it is asked.
 *
 * The level is kept in units of which a token has `window` and a millisecond brings `requests`. So all sums are of
 * integers where times are whole milliseconds, and nothing drifts however often tokens are taken.
 */
export class TokenBucket {
  readonly #limit: Limit;
  #level: number;
  #at: number;

  /** @param now milliseconds on a monotonic scale, as everywhere in this class */
  constructor(limit: Limit, now: number) {
    this.#limit = limit;
    this.#level = limit.burst * limit.window;
    this.#at = now;
  }

  /**
   * Lets in what has come since the last call. A time before that of an earlier call counts as that one: where the
   * clock goes back, the bucket stands still until it has caught up.
   */
  refill(now: number): void {
    if (now <= this.#at) return;
    const { requests, window, burst } = this.#limit;
    this.#level = Math.min(burst * window, this.#level + (now - this.#at) * requests);
    this.#at = now;
  }

  /** Whether there are `cost` tokens, as of the last {@link refill}. */
  has(cost: number): boolean {
    return this.#level >= cost * this.#limit.window;
  }

  /** Takes `cost` tokens out. To be asked for with {@link has} before: the level must not fall below 0. */
  take(cost: number): void {
    this.#level -= cost * this.#limit.window;
  }

  /** Whole tokens in the bucket, as of the last {@link refill}. */
  get remaining(): number {
    return Math.floor(this.#level / this.#limit.window);
  }

  /** Milliseconds from the last {@link refill} until there are `tokens`; 0 where there are. At most `burst` make sense. */
  timeUntil(tokens: number): number {
    return Math.max(0, (tokens * this.#limit.window - this.#level) / this.#limit.requests);
  }
}
