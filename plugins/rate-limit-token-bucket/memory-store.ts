import { LRUCache } from 'lru-cache';
import { TokenBucket } from './bucket.js';
import type { BucketStore, Decision, TakeRequest } from './store.js';

/**
 * Buckets in the memory of this process, at most a given number. Where there is no room for another, the one that was
 * asked for the longest time ago goes; should its client come back, it finds a full one.
 */
export class MemoryStore implements BucketStore {
  #buckets: LRUCache<string, TokenBucket>;

  /** @param max the most buckets to keep, at least 1 */
  constructor(max: number) {
    this.#buckets = new LRUCache({ max });
  }

  /** How many buckets there are. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Changes the bound. The buckets stay, but for the longest unused ones where there are too many now. */
  resize(max: number): void {
    if (max === this.#buckets.max) return;
    const resized = new LRUCache<string, TokenBucket>({ max });
    for (const key of this.#buckets.rkeys()) {
      const bucket = this.#buckets.peek(key);
      if (bucket !== undefined) resized.set(key, bucket);
    }
    this.#buckets = resized;
  }

  take(requests: readonly TakeRequest[], now: number): Decision {
    const buckets: TokenBucket[] = [];
    let admitted = true;
    for (const request of requests) {
      const bucket = this.#bucket(request, now);
      if (!bucket.has(request.cost)) admitted = false;
      buckets.push(bucket);
    }
    let strictest: Decision | undefined;
    for (let i = 0; i < buckets.length; i++) {
      const bucket = buckets[i];
      const request = requests[i];
      if (bucket === undefined || request === undefined) continue;
      if (admitted) bucket.take(request.cost);
      else if (bucket.has(request.cost)) continue;
      const decision = decide(bucket, request, admitted);
      if (strictest === undefined || isStricter(decision, strictest)) strictest = decision;
    }
    if (strictest === undefined) throw new Error('There is no bucket to take from');
    return strictest;
  }

  #bucket({ key, policy }: TakeRequest, now: number): TokenBucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      known.refill(now);
      return known;
    }
    const bucket = new TokenBucket(policy, now);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

function decide(bucket: TokenBucket, { policy, cost }: TakeRequest, admitted: boolean): Decision {
  const resetAfter = bucket.timeUntil(bucket.has(cost) ? policy.burst : cost);
  return { admitted, policy, remaining: bucket.remaining, resetAfter };
}

function isStricter(a: Decision, b: Decision): boolean {
  if (a.admitted && a.remaining !== b.remaining) return a.remaining < b.remaining;
  return a.resetAfter > b.resetAfter;
}
