/** How a request was answered. */
export type CacheOutcome = 'HIT' | 'MISS' | 'STALE' | 'REVALIDATED' | 'BYPASS';

/** What a cache has counted since it was made. */
export class Statistics {
  readonly outcomes: Record<CacheOutcome, number> = { HIT: 0, MISS: 0, STALE: 0, REVALIDATED: 0, BYPASS: 0 };
  /** Requests that waited for the upstream request of another. */
  collapsed = 0;
  /** Responses that were stored. */
  stored = 0;
  /** Responses that were removed by administrators or unsafe requests. */
  purged = 0;
  /** Refreshments in the background that failed. */
  backgroundFailures = 0;

  /** Requests that needed no new response from the upstream. */
  get hits(): number {
    const { HIT, STALE, REVALIDATED } = this.outcomes;
    return HIT + STALE + REVALIDATED;
  }

  get misses(): number {
    return this.outcomes.MISS;
  }

  /** Hits among hits and misses, 0 to 1, to three decimals. */
  get hitRate(): number {
    const total = this.hits + this.misses;
    return total === 0 ? 0 : Math.round((this.hits / total) * 1000) / 1000;
  }
}
