import { KeysUnavailable } from '../token/token-refused.js';
import type { RemoteKeys } from './remote-keys.js';
import type { VerificationKey } from './verification-key.js';

/** A `kid` that may be ignored: letters, digits and a few signs; nothing like a path, a query or a command. */
const HARMLESS_KID = /^(?!.*\.\.)[\w.~:@+=-]{1,256}$/;

/** All keys that tokens may be signed with. A `kid` is only ever compared with theirs. */
export class KeyRing {
  readonly #named: ReadonlyMap<string, VerificationKey>;
  readonly #unnamed: readonly VerificationKey[];
  readonly #remote: readonly RemoteKeys[];

  /** @throws Error when there is no key at all, or two of one name */
  constructor(keys: readonly VerificationKey[], remote: readonly RemoteKeys[]) {
    if (keys.length === 0 && remote.length === 0) {
      throw new Error('auth-jwt has no key to verify tokens with: set secret, publicKey, publicKeys or jwks');
    }
    const named = new Map<string, VerificationKey>();
    for (const key of keys) {
      if (key.kid === undefined) continue;
      if (named.has(key.kid)) throw new Error(`publicKeys has two keys with the kid '${key.kid}'`);
      named.set(key.kid, key);
    }
    this.#named = named;
    this.#unnamed = keys.filter(({ kid }) => kid === undefined);
    this.#remote = remote;
  }

  /** Changes when a key is no longer to be used. */
  get version(): number {
    let version = 0;
    for (const keys of this.#remote) version += keys.version;
    return version;
  }

  /** Fetches what has to be fetched before the first token comes. Resolves also when that fails. */
  async load(): Promise<void> {
    await Promise.all(this.#remote.map((keys) => keys.load()));
  }

  /**
   * The keys that may have signed a token.
   *
   * - With a `kid`: the key of that name. Where no key has a name, the `kid` means nothing, and the keys without one.
   * - Without: the keys without a name, or the only key there is.
   *
   * @returns a promise only where a key server has to be asked; it rejects with KeysUnavailable
   */
  find(kid: string | undefined): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    if (kid === undefined) return this.#findUnnamed();
    const known = this.#named.get(kid);
    if (known !== undefined) return [known];
    for (const keys of this.#remote) {
      const key = keys.get(kid);
      if (key !== undefined) return [key];
    }
    if (this.#remote.length > 0) return this.#ask(kid);
    return this.#named.size === 0 && HARMLESS_KID.test(kid) ? this.#unnamed : [];
  }

  #findUnnamed(): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    if (this.#unnamed.length > 0) return this.#unnamed;
    if (this.#remote.every(({ loaded }) => loaded)) return this.#unnamedOrOnly();
    return this.load().then(() => {
      if (this.#remote.every(({ loaded }) => !loaded)) throw new KeysUnavailable(0);
      return this.#unnamedOrOnly();
    });
  }

  #unnamedOrOnly(): readonly VerificationKey[] {
    const unnamed = this.#remote.flatMap((keys) => keys.unnamed);
    if (unnamed.length > 0) return unnamed;
    const all = [...this.#named.values(), ...this.#remote.flatMap((keys) => keys.all)];
    return all.length === 1 ? all : [];
  }

  async #ask(kid: string): Promise<readonly VerificationKey[]> {
    const answers = await Promise.allSettled(this.#remote.map((keys) => keys.find(kid)));
    const found = answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value !== undefined ? [answer.value] : [],
    );
    if (found.length > 0) return found.slice(0, 1);
    // A key server that never answered may well know the name.
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
    return [];
  }
}
