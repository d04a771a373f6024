import type { KeyObject } from 'node:crypto';

/** The signature algorithms of RFC 7518 section 3.1 that are supported; `none` is not one of them. */
export const ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
] as const;

/** A name of {@link ALGORITHMS}. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** The algorithms that take a shared secret. */
export const HMAC_ALGORITHMS: readonly Algorithm[] = ['HS256', 'HS384', 'HS512'];

const RSA_PSS: readonly Algorithm[] = ['PS256', 'PS384', 'PS512'];
const RSA: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', ...RSA_PSS];

const BY_CURVE: ReadonlyMap<string, Algorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/** Shortest RSA modulus that RFC 7518 sections 3.3 and 3.5 allow, in bits. */
const LEAST_RSA_BITS = 2048;

/**
 * The algorithms that a key may verify, by its type: what keeps an RSA key from ever being taken for a shared secret.
 *
 * @returns an empty list for keys of other types, curves or lengths
 */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  if (key.type === 'secret') return HMAC_ALGORITHMS;
  const details = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return (details.modulusLength ?? 0) >= LEAST_RSA_BITS ? RSA : [];
    case 'rsa-pss':
      if ((details.modulusLength ?? 0) < LEAST_RSA_BITS) return [];
      return RSA_PSS.filter((name) => details.hashAlgorithm === `sha${name.slice(2)}`);
    case 'ec': {
      const algorithm = BY_CURVE.get(details.namedCurve ?? '');
      return algorithm === undefined ? [] : [algorithm];
    }
    default:
      return [];
  }
}
