import type { StoredKey } from './api-key.js';

/** Most keys that are kept. */
export const MOST_KEYS = 100_000;

/** Keeps the keys that were made at run time. */
export interface KeyStore {
  /** @throws Error when what was stored cannot be understood */
  load(): Promise<readonly StoredKey[]>;
  /** Replaces all that is stored. Resolves once it would survive what the strategy promises to survive. */
  save(keys: readonly StoredKey[]): Promise<void>;
}

/** Keys that end with the process. */
export class MemoryKeyStore implements KeyStore {
  #keys: readonly StoredKey[] = [];

  async load(): Promise<readonly StoredKey[]> {
    return this.#keys;
  }

  async save(keys: readonly StoredKey[]): Promise<void> {
    this.#keys = keys;
  }
}
