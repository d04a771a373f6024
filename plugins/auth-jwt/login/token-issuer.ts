import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import type { Clock } from '../../../core/index.js';
import { HMAC_ALGORITHMS } from '../keys/algorithms.js';
import type { AuthJwtOptions } from '../options.js';

/** Whom a token is for. */
export interface TokenSubject {
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
}

/** Signs access tokens with the shared secret. */
export class TokenIssuer {
  readonly #key: KeyObject;
  readonly #algorithm: jwt.Algorithm;
  readonly #options: AuthJwtOptions;
  readonly #clock: Clock;

  /** @param secret checked before */
  constructor(secret: string, options: AuthJwtOptions, clock: Clock) {
    this.#key = createSecretKey(Buffer.from(secret, 'utf8'));
    this.#algorithm = options.algorithms?.find((name) => HMAC_ALGORITHMS.includes(name)) ?? 'HS256';
    this.#options = options;
    this.#clock = clock;
  }

  /** @param ttl milliseconds */
  issue({ subject, scopes, roles }: TokenSubject, ttl: number): string {
    const { issuer, audience, scopesClaim, rolesClaim } = this.#options;
    const iat = Math.floor(this.#clock.now() / 1000);
    const claims: Record<string, unknown> = {
      sub: subject,
      iat,
      exp: iat + Math.floor(ttl / 1000),
      jti: randomUUID(),
    };
    if (issuer !== undefined) claims.iss = issuer[0];
    if (audience !== undefined) claims.aud = audience[0];
    if (scopes.length > 0) claims[scopesClaim] = scopes.join(' ');
    if (roles.length > 0) claims[rolesClaim] = [...roles];
    return jwt.sign(claims, this.#key, { algorithm: this.#algorithm });
  }
}
