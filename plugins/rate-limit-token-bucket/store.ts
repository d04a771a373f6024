import type { Policy } from './policy.js';

/** What one policy has to say about a request: which bucket, and how many tokens. */
export interface TakeRequest {
  /** Names the bucket; holds everything that makes it a bucket of its own, the numbers of the policy included. */
  readonly key: string;
  readonly policy: Policy;
  /** From 1 to the policy's burst. */
  readonly cost: number;
}

/** What became of a request; every header field is written from this and nothing else. */
export interface Decision {
  readonly admitted: boolean;
  /**
   * The strictest policy: of those that refuse, the one with the longest wait; otherwise the one with the fewest
   * tokens left. What follows is about its bucket.
   */
  readonly policy: Policy;
  /** Whole tokens left. */
  readonly remaining: number;
  /**
   * Milliseconds: where the rest is too little for another request of this cost, until it is enough; otherwise until
   * the bucket is full.
   */
  readonly resetAfter: number;
}

/** Where buckets are kept. */
export interface BucketStore {
  /**
   * Takes tokens from all the buckets named, or from none: one step that nobody can come between.
   *
   * @param requests at least one, each with another key
   * @param now monotonic milliseconds
   */
  take(requests: readonly TakeRequest[], now: number): Decision | Promise<Decision>;
}
