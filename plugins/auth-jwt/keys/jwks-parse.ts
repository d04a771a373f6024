import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { type Algorithm, algorithmsOf } from './algorithms.js';
import type { VerificationKey } from './verification-key.js';

/** Most keys of a set that are looked at. */
const MOST_KEYS = 100;

/**
 * The keys of a JWK Set (RFC 7517 section 5) that may verify tokens: public keys for signatures, whose type goes with
 * an allowed algorithm. Others are left out, as section 5 wants it; symmetric keys always are.
 *
 * @param allowed the algorithms that the configuration permits keys of this set
 * @throws Error when the text is no JWK Set
 */
export function parseJwks(text: string, allowed: readonly Algorithm[]): VerificationKey[] {
  const set: unknown = JSON.parse(text);
  if (!isRecord(set) || !Array.isArray(set.keys)) throw new Error('The answer is no JWK Set');
  const keys: VerificationKey[] = [];
  for (const jwk of set.keys.slice(0, MOST_KEYS)) {
    const key = parseJwk(jwk, allowed);
    if (key !== undefined) keys.push(key);
  }
  return keys;
}

function parseJwk(jwk: unknown, allowed: readonly Algorithm[]): VerificationKey | undefined {
  if (!isRecord(jwk)) return undefined;
  const { kid, use, alg, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;
  const publicPart = publicPartOf(jwk);
  if (publicPart === undefined) return undefined;
  try {
    const key = createPublicKey({ key: publicPart, format: 'jwk' });
    const algorithms = algorithmsOf(key).filter(
      (algorithm) => allowed.includes(algorithm) && (alg === undefined || alg === algorithm),
    );
    return algorithms.length === 0 ? undefined : { kid, key, algorithms };
  } catch {
    return undefined;
  }
}

/** The members that make the public key (RFC 7518 section 6), and nothing else. */
function publicPartOf({ kty, n, e, crv, x, y }: Readonly<Record<string, unknown>>): JsonWebKey | undefined {
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') return { kty, n, e };
  if (kty === 'EC' && typeof crv === 'string' && typeof x === 'string' && typeof y === 'string') {
    return { kty, crv, x, y };
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
