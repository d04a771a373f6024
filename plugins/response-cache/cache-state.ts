import { LRUCache } from 'lru-cache';
import { Fetches } from './fetches.js';
import { MemoryStore } from './memory-store.js';
import type { RecordingBudget } from './recorder.js';
import { Statistics } from './statistics.js';
import type { ResponseStore } from './store.js';

/** How many URLs are remembered whose responses cannot be shared. */
const MOST_UNSHARED = 10_000;

/** What is shared by all routes of a plugin instance, and outlives a reload. */
export class CacheState {
  readonly store: ResponseStore;
  readonly statistics = new Statistics();
  readonly fetches = new Fetches();
  readonly recording: RecordingBudget;
  /** Until when nobody is to wait for the response to such a request; on the clock's monotonic scale. */
  readonly unshared = new LRUCache<string, number>({ max: MOST_UNSHARED });

  constructor(bounds: { readonly maxBytes: number; readonly maxEntries: number }) {
    this.store = new MemoryStore(bounds);
    this.recording = { bytes: 0, most: bounds.maxBytes };
  }

  /** Removes the responses of a URL, and keeps those under way from being stored. @returns how many */
  invalidate(key: string): number {
    this.fetches.voidKey(key);
    return this.#purged(this.store.removeKey(key));
  }

  purgeTag(tag: string): number {
    // Which tags the responses under way will have is not known yet.
    this.fetches.voidWhere(() => true);
    return this.#purged(this.store.removeTagged(tag));
  }

  purgeWhere(matches: (response: { readonly key: string; readonly service: string }) => boolean): number {
    this.fetches.voidWhere(matches);
    return this.#purged(this.store.removeWhere(matches));
  }

  purgeAll(): number {
    this.fetches.voidWhere(() => true);
    return this.#purged(this.store.clear());
  }

  #purged(count: number): number {
    this.statistics.purged += count;
    return count;
  }
}
