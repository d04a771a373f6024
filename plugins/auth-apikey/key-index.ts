import { timingSafeEqual } from 'node:crypto';
import type { Grant } from './api-key.js';

interface Entry {
  readonly digest: Buffer;
  readonly grant: Grant;
  /** Milliseconds since the epoch; infinity for a key without an end. */
  readonly until: number;
}

/** Finds what a key grants by its SHA-256. Looking for what is not there leaves nothing behind. */
export class KeyIndex {
  readonly #entries = new Map<string, Entry>();

  /** How many keys can be found. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param until when the key stops to be valid; `grant.expiresAt` also counts */
  add(digest: Buffer, grant: Grant, until = Number.POSITIVE_INFINITY): void {
    const end = Math.min(until, grant.expiresAt ?? Number.POSITIVE_INFINITY);
    this.#entries.set(digest.toString('latin1'), { digest, grant, until: end });
  }

  remove(digest: Buffer): void {
    this.#entries.delete(digest.toString('latin1'));
  }

  has(digest: Buffer): boolean {
    return this.#entries.has(digest.toString('latin1'));
  }

  /** What the key with this SHA-256 grants; undefined when it is unknown or its time is over. */
  find(digest: Buffer, now: number): Grant | undefined {
    const entry = this.#entries.get(digest.toString('latin1'));
    // The map compares with an early exit, though only digests; this does not.
    if (entry === undefined || !timingSafeEqual(entry.digest, digest)) return undefined;
    return now < entry.until ? entry.grant : undefined;
  }
}
