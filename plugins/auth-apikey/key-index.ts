import type { Grant } from './api-key.js';

interface Entry {
  readonly digest: string;
  readonly grant: Grant;
  /** Milliseconds since the epoch; infinity for a key without an end. */
  readonly until: number;
}

/** Finds what a key grants by its SHA-256, in hexadecimal. Looking for what is not there leaves nothing behind. */
export class KeyIndex {
  readonly #entries = new Map<string, Entry>();

  /** How many keys can be found. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param until when the key stops to be valid; `grant.expiresAt` also counts */
  add(digest: string, grant: Grant, until = Number.POSITIVE_INFINITY): void {
    const end = Math.min(until, grant.expiresAt ?? Number.POSITIVE_INFINITY);
    this.#entries.set(digest, { digest, grant, until: end });
  }

  remove(digest: string): void {
    this.#entries.delete(digest);
  }

  has(digest: string): boolean {
    return this.#entries.has(digest);
  }

  /** What the key with this SHA-256 grants; undefined when it is unknown or its time is over. */
  find(digest: string, now: number): Grant | undefined {
    const entry = this.#entries.get(digest);
    // The map compares with an early exit, though only digests; this does not.
    if (entry === undefined || !isEqual(entry.digest, digest)) return undefined;
    return now < entry.until ? entry.grant : undefined;
  }
}

/** Compares digests in a time that does not depend on where they differ. */
function isEqual(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}
