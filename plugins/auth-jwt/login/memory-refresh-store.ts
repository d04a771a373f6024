import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RefreshStore, Rotation, Session } from './refresh-store.js';

/** Sessions in the memory of this process; the ones longest unused go first when there are too many. */
export class MemoryRefreshStore implements RefreshStore {
  readonly #families: LRUCache<string, { session: Session; tokenHash: string }>;

  constructor(mostSessions: number) {
    this.#families = new LRUCache({ max: mostSessions });
  }

  async create(family: string, session: Session, tokenHash: string): Promise<void> {
    this.#families.set(family, { session, tokenHash });
  }

  async rotate(family: string, tokenHash: string, nextHash: string, now: number): Promise<Rotation> {
    const entry = this.#families.get(family);
    if (entry === undefined) return { outcome: 'unknown' };
    const { session } = entry;
    if (now >= session.expiresAt) {
      this.#families.delete(family);
      return { outcome: 'unknown' };
    }
    if (!isSame(entry.tokenHash, tokenHash)) {
      this.#families.delete(family);
      return { outcome: 'reused', session };
    }
    entry.tokenHash = nextHash;
    return { outcome: 'rotated', session };
  }

  async revoke(family: string): Promise<void> {
    this.#families.delete(family);
  }
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
