import { randomBytes } from 'node:crypto';
import { type Clock, GatewayError } from '../../core/index.js';
import { type Grant, isExpired, type StoredKey } from './api-key.js';
import { KeyIndex } from './key-index.js';
import { type KeyStore, MOST_KEYS } from './key-store.js';
import { digestOf, displayPrefix, generateKey } from './key-text.js';

/** A key that was just made: the only time that it can be read. */
export interface IssuedKey {
  readonly key: string;
  readonly record: StoredKey;
}

/**
 * The keys that are made at run time. Every change is stored before it counts, and changes take place one after the
 * other. A key is valid until it expires or is revoked; at most one earlier key of the same id is valid beside it, while
 * the overlap of its rotation lasts.
 */
export class Keyring {
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #index = new KeyIndex();
  #records: ReadonlyMap<string, StoredKey> = new Map();
  #loading: Promise<void> | undefined;
  /** The end of the queue of changes; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();

  /** @param limit most keys at a time; expired ones make room for new ones */
  constructor(store: KeyStore, clock: Clock, limit = MOST_KEYS) {
    this.#store = store;
    this.#clock = clock;
    this.#limit = limit;
  }

  /**
   * Reads what is stored, once; a failed attempt is repeated by the next call.
   *
   * @throws DamagedFileError when it cannot be understood
   */
  load(): Promise<void> {
    this.#loading ??= this.#store.load().then(
      (keys) => this.#replace(new Map(keys.map((record) => [record.id, record]))),
      (failure) => {
        this.#loading = undefined;
        throw failure;
      },
    );
    return this.#loading;
  }

  /** What the key with this SHA-256 grants; undefined when it is unknown, expired or revoked. */
  find(digest: string): Grant | undefined {
    return this.#index.find(digest, this.#clock.now());
  }

  /** How many keys can be found, valid or not: at most two for each id. */
  get indexed(): number {
    return this.#index.size;
  }

  /** Expired keys are listed too, until they make room for others. */
  list(): StoredKey[] {
    return [...this.#records.values()];
  }

  get(id: string): StoredKey | undefined {
    return this.#records.get(id);
  }

  /** @throws GatewayError CONFLICT when there are as many keys as there may be */
  create(grant: Omit<Grant, 'id'>): Promise<IssuedKey> {
    return this.#change((records) => {
      const now = this.#clock.now();
      if (records.size >= this.#limit) {
        for (const [id, record] of records) if (isExpired(record, now)) records.delete(id);
      }
      if (records.size >= this.#limit) {
        throw new GatewayError('CONFLICT', {
          message: `There are ${this.#limit} API keys, the most there may be`,
        });
      }
      const id = `key_${randomBytes(12).toString('hex')}`;
      const { key, hash, prefix } = newSecret();
      const record: StoredKey = { id, ...grant, hash, prefix, createdAt: now };
      records.set(id, record);
      return { key, record };
    });
  }

  /**
   * Puts a new key in the place of an old one, under the same id.
   *
   * @param overlap how long the old one stays valid, in milliseconds; the one before it ends at once
   * @throws GatewayError NOT_FOUND, or CONFLICT when the key has expired
   */
  rotate(id: string, overlap: number): Promise<IssuedKey> {
    return this.#change((records) => {
      const now = this.#clock.now();
      const { previous: _, ...old } = existing(records, id);
      if (isExpired(old, now)) {
        throw new GatewayError('CONFLICT', { message: 'The API key has expired; create another one' });
      }
      const { key, hash, prefix } = newSecret();
      const until = Math.floor(now + overlap);
      const record: StoredKey = {
        ...old,
        hash,
        prefix,
        rotatedAt: now,
        ...(until > now ? { previous: { hash: old.hash, prefix: old.prefix, until } } : {}),
      };
      records.set(id, record);
      return { key, record };
    });
  }

  /** @throws GatewayError NOT_FOUND */
  revoke(id: string): Promise<StoredKey> {
    return this.#change((records) => {
      const record = existing(records, id);
      records.delete(id);
      return record;
    });
  }

  #change<T>(make: (records: Map<string, StoredKey>) => T): Promise<T> {
    const changed = this.#tail.then(async () => {
      const records = new Map(this.#records);
      const result = make(records);
      await this.#store.save([...records.values()]);
      this.#replace(records);
      return result;
    });
    this.#tail = changed.catch(() => undefined);
    return changed;
  }

  #replace(records: ReadonlyMap<string, StoredKey>): void {
    for (const [id, record] of this.#records) if (records.get(id) !== record) this.#unindex(record);
    for (const [id, record] of records) if (this.#records.get(id) !== record) this.#enter(record);
    this.#records = records;
  }

  #enter(record: StoredKey): void {
    this.#index.add(record.hash, record);
    if (record.previous !== undefined) {
      this.#index.add(record.previous.hash, record, record.previous.until);
    }
  }

  #unindex({ hash, previous }: StoredKey): void {
    this.#index.remove(hash);
    if (previous !== undefined) this.#index.remove(previous.hash);
  }
}

function newSecret(): { readonly key: string; readonly hash: string; readonly prefix: string } {
  const key = generateKey();
  return { key, hash: digestOf(key), prefix: displayPrefix(key) };
}

function existing(records: ReadonlyMap<string, StoredKey>, id: string): StoredKey {
  const record = records.get(id);
  if (record === undefined) throw new GatewayError('NOT_FOUND', { message: 'There is no such API key' });
  return record;
}
