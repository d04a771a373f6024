import type { Clock, Logger } from '../../../core/index.js';
import { KeysUnavailable } from '../token/token-refused.js';
import type { Algorithm } from './algorithms.js';
import type { FetchText } from './jwks-fetch.js';
import { parseJwks } from './jwks-parse.js';
import type { VerificationKey } from './verification-key.js';

/** How a key set is kept up to date. */
export interface RemoteKeysOptions {
  readonly url: string;
  readonly algorithms: readonly Algorithm[];
  /** Milliseconds after which the keys are fetched again, while the old ones stay in use. */
  readonly ttl: number;
  /** Least milliseconds between two fetches after a failure, and between two that unknown `kid`s cause. */
  readonly cooldown: number;
}

/**
 * The keys behind one JWKS URL. One fetch is in flight at most; the last good keys stay in use for as long as the
 * key server gives no others.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  readonly #fetch: FetchText;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #named: ReadonlyMap<string, VerificationKey> = new Map();
  #unnamed: readonly VerificationKey[] = [];
  #version = 0;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #unknownAskedAt = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<void> | undefined;

  constructor(options: RemoteKeysOptions, fetch: FetchText, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Changes when a key that was in use is so no longer: tokens accepted before have to be looked at again. */
  get version(): number {
    // Asked for with every token, also a remembered one: where only such come, nothing else would notice the age.
    this.#refreshIfStale();
    return this.#version;
  }

  /** Whether the keys have been fetched at least once. */
  get loaded(): boolean {
    return this.#fetchedAt !== Number.NEGATIVE_INFINITY;
  }

  /** The keys without a `kid`. */
  get unnamed(): readonly VerificationKey[] {
    this.#refreshIfStale();
    return this.#unnamed;
  }

  /** All keys. */
  get all(): readonly VerificationKey[] {
    this.#refreshIfStale();
    return [...this.#named.values(), ...this.#unnamed];
  }

  /** The key of that name, as far as it is known. Never waits. */
  get(kid: string): VerificationKey | undefined {
    this.#refreshIfStale();
    return this.#named.get(kid);
  }

  /** Fetches the keys if they never were. Resolves also when that fails. */
  load(): Promise<void> {
    if (this.loaded || this.#isCoolingDown(this.#failedAt)) return Promise.resolve();
    return this.#refresh();
  }

  /**
   * The key of that name, asking the key server for a name that is not known, as often as the cooldown allows.
   *
   * @throws KeysUnavailable when the keys have never been fetched
   */
  async find(kid: string): Promise<VerificationKey | undefined> {
    await this.load();
    const known = this.#named.get(kid);
    if (known !== undefined) return known;
    if (!this.loaded) throw new KeysUnavailable(this.#options.cooldown);
    if (this.#inFlight !== undefined) await this.#inFlight;
    else if (!this.#isCoolingDown(this.#unknownAskedAt) && !this.#isCoolingDown(this.#failedAt)) {
      this.#unknownAskedAt = this.#clock.monotonic();
      await this.#refresh();
    }
    return this.#named.get(kid);
  }

  #refreshIfStale(): void {
    if (!this.loaded || this.#inFlight !== undefined) return;
    if (this.#clock.monotonic() - this.#fetchedAt < this.#options.ttl) return;
    if (!this.#isCoolingDown(this.#failedAt)) void this.#refresh();
  }

  #isCoolingDown(since: number): boolean {
    return this.#clock.monotonic() - since < this.#options.cooldown;
  }

  #refresh(): Promise<void> {
    this.#inFlight ??= this.#fetchKeys().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #fetchKeys(): Promise<void> {
    const { url, algorithms } = this.#options;
    try {
      this.#replace(parseJwks(await this.#fetch(url), algorithms));
      this.#fetchedAt = this.#clock.monotonic();
      this.#failedAt = Number.NEGATIVE_INFINITY;
    } catch (err) {
      this.#failedAt = this.#clock.monotonic();
      const reason =
        err instanceof Error && !(err instanceof SyntaxError) ? err.message : 'The answer is no JSON';
      this.#logger.warn(
        { url: withoutQuery(url), reason, keys_kept: this.#named.size + this.#unnamed.length },
        'The keys could not be fetched',
      );
    }
  }

  #replace(keys: readonly VerificationKey[]): void {
    const named = new Map<string, VerificationKey>();
    for (const key of keys) if (key.kid !== undefined && !named.has(key.kid)) named.set(key.kid, key);
    const unnamed = keys.filter(({ kid }) => kid === undefined);
    const kept = [...named.values(), ...unnamed];
    const lost = [...this.#named.values(), ...this.#unnamed].some(
      (old) => !kept.some((key) => key.kid === old.kid && key.key.equals(old.key)),
    );
    this.#named = named;
    this.#unnamed = unnamed;
    if (lost) this.#version += 1;
    if (kept.length === 0)
      this.#logger.warn(
        { url: withoutQuery(this.#options.url) },
        'The key server has no key that can be used',
      );
  }
}

/** For the log: some providers have an API key in the query. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
