import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import type { Clock, Consumer } from '../../../core/index.js';
import { type IdentityHeaders, identityHeaders } from '../identity-headers.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { VerificationKey } from '../keys/verification-key.js';
import { checkClaims, textsOf } from './claims.js';
import { type JsonObject, parseToken } from './token-parse.js';
import { type RefusalReason, TokenRefused } from './token-refused.js';

/** A token that was found good, with everything that requests need of it made ready. */
export interface VerifiedToken {
  readonly consumer: Consumer;
  readonly scopes: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  readonly headers: IdentityHeaders;
  /** Milliseconds since the epoch; infinite for a token without `exp`. */
  readonly expiresAt: number;
}

/** What a verifier demands. */
export interface VerifierOptions {
  readonly pluginId: string;
  readonly issuer: readonly string[] | undefined;
  readonly audience: readonly string[] | undefined;
  /** Milliseconds. */
  readonly clockSkew: number;
  readonly requiredClaims: readonly string[];
  readonly scopesClaim: string;
  readonly rolesClaim: string;
  /** Most tokens to remember; 0 for none. */
  readonly cache: number;
}

/** Tells good tokens from others, and remembers the good ones until they expire. */
export class TokenVerifier {
  readonly #keys: KeyRing;
  readonly #options: VerifierOptions;
  readonly #clock: Clock;
  readonly #remembered: LRUCache<string, VerifiedToken> | undefined;
  #keysVersion: number;

  constructor(keys: KeyRing, options: VerifierOptions, clock: Clock) {
    this.#keys = keys;
    this.#options = options;
    this.#clock = clock;
    this.#remembered = options.cache === 0 ? undefined : new LRUCache({ max: options.cache });
    this.#keysVersion = keys.version;
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#remembered?.size ?? 0;
  }

  /** Fetches keys before the first token comes. */
  load(): Promise<void> {
    return this.#keys.load();
  }

  /**
   * Verifies a token.
   *
   * @returns a promise only where a key server has to be asked; it rejects as the synchronous way throws
   * @throws TokenRefused; KeysUnavailable
   */
  verify(token: string): VerifiedToken | Promise<VerifiedToken> {
    const known = this.#recall(token);
    if (known !== undefined) return known;
    const { kid, claims } = parseToken(token);
    const candidates = this.#keys.find(kid);
    return candidates instanceof Promise
      ? candidates.then((keys) => this.#verifyWith(keys, token, claims))
      : this.#verifyWith(candidates, token, claims);
  }

  #recall(token: string): VerifiedToken | undefined {
    const remembered = this.#remembered;
    if (remembered === undefined) return undefined;
    const { version } = this.#keys;
    if (version !== this.#keysVersion) {
      remembered.clear();
      this.#keysVersion = version;
      return undefined;
    }
    const known = remembered.get(token);
    if (known === undefined || this.#clock.now() < known.expiresAt) return known;
    remembered.delete(token);
    return undefined;
  }

  #verifyWith(candidates: readonly VerificationKey[], token: string, claims: JsonObject): VerifiedToken {
    const version = this.#keys.version;
    const now = this.#clock.now();
    this.#checkSignature(candidates, token, now);
    const { requiredClaims, clockSkew } = this.#options;
    const subject = checkClaims(
      claims,
      { required: requiredClaims, clockSkew: clockSkew / 1000 },
      now / 1000,
    );
    const expiresAt =
      typeof claims.exp === 'number' ? claims.exp * 1000 + clockSkew : Number.POSITIVE_INFINITY;
    if (now >= expiresAt) throw new TokenRefused('expired');
    const verified = this.#describe(subject, claims, expiresAt);
    if (version === this.#keysVersion) this.#remembered?.set(token, verified);
    return verified;
  }

  #checkSignature(candidates: readonly VerificationKey[], token: string, now: number): void {
    const { issuer, audience, clockSkew } = this.#options;
    let reason: RefusalReason = 'unknown key';
    for (const { key, algorithms } of candidates) {
      try {
        jwt.verify(token, key, {
          algorithms: [...algorithms],
          // 0 would mean the system's clock.
          clockTimestamp: Math.max(Math.floor(now / 1000), 1),
          clockTolerance: clockSkew / 1000,
          ...(issuer === undefined ? {} : { issuer: atLeastOne(issuer) }),
          ...(audience === undefined ? {} : { audience: atLeastOne(audience) }),
        });
        return;
      } catch (error) {
        reason = moreTelling(reason, reasonOf(error));
      }
    }
    throw new TokenRefused(reason);
  }

  #describe(subject: string, claims: JsonObject, expiresAt: number): VerifiedToken {
    const { pluginId, scopesClaim, rolesClaim } = this.#options;
    const scopes = textsOf(claims, scopesClaim);
    const roles = textsOf(claims, rolesClaim);
    return {
      consumer: Object.freeze({
        id: subject,
        authenticatedBy: pluginId,
        ...(Number.isFinite(expiresAt) ? { expiresAt } : {}),
      }),
      scopes,
      roles,
      headers: identityHeaders(subject, scopes, roles, pluginId),
      expiresAt,
    };
  }
}

function atLeastOne(values: readonly string[]): [string, ...string[]] {
  const [first = '', ...rest] = values;
  return [first, ...rest];
}

/** With several keys, what the key that fitted best had to say. */
function moreTelling(before: RefusalReason, now: RefusalReason): RefusalReason {
  return before === 'unknown key' || before === 'algorithm' || before === 'signature' ? now : before;
}

/** The messages of jsonwebtoken may quote the token: only their kind is kept. */
function reasonOf(error: unknown): RefusalReason {
  if (error instanceof jwt.TokenExpiredError) return 'expired';
  if (error instanceof jwt.NotBeforeError) return 'not active yet';
  if (!(error instanceof jwt.JsonWebTokenError)) return 'signature';
  if (error.message === 'invalid algorithm') return 'algorithm';
  if (error.message.startsWith('jwt issuer')) return 'issuer';
  if (error.message.startsWith('jwt audience')) return 'audience';
  return error.message === 'invalid signature' ? 'signature' : 'malformed';
}
