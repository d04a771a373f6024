import {
  constants,
  createHmac,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Algorithm } from '../../plugins/auth-jwt/keys/algorithms.js';

/** Where the fake clock stands, in seconds since the epoch. */
export const NOW = Date.UTC(2024, 0, 1, 12) / 1000;

export const SECRET = randomBytes(48).toString('base64url');

/** A fresh key pair. */
export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** The public key as PEM text. */
  readonly pem: string;
}

function pair(keys: { publicKey: KeyObject; privateKey: KeyObject }): Pair {
  return { ...keys, pem: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

export function rsaPair(bits = 2048): Pair {
  return pair(generateKeyPairSync('rsa', { modulusLength: bits }));
}

export function ecPair(curve: 'P-256' | 'P-384' | 'P-521' | 'secp256k1' = 'P-256'): Pair {
  return pair(generateKeyPairSync('ec', { namedCurve: curve }));
}

/** The claims of a token that nothing is wrong with. */
export const CLAIMS = { sub: 'alice', iat: NOW - 10, exp: NOW + 600 };

export function encode(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return Buffer.from(text, 'utf8').toString('base64url');
}

/** The signature over any text, made by hand, so that also what no library would sign can be signed. */
export function signature(input: string, alg: Algorithm, key: KeyObject | string | Buffer): Buffer {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(input).digest();
  if (typeof key === 'string' || Buffer.isBuffer(key)) throw new Error('A private key is needed');
  const signer = createSign(hash).update(input);
  if (alg.startsWith('RS')) return signer.sign(key);
  if (alg.startsWith('ES')) return signer.sign({ key, dsaEncoding: 'ieee-p1363' });
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  return signer.sign({ key, padding, saltLength });
}

/** A signed token of a header and claims: objects, or JSON text as it is to stand in the token. */
export function signed(
  header: Readonly<Record<string, unknown>> | string,
  claims: Readonly<Record<string, unknown>> | string,
  alg: Algorithm,
  key: KeyObject | string | Buffer,
): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signature(input, alg, key).toString('base64url')}`;
}

/** A good HS256 token with other claims. */
export function hs256(claims: Readonly<Record<string, unknown>> | string = CLAIMS, key = SECRET): string {
  return signed({ alg: 'HS256', typ: 'JWT' }, claims, 'HS256', key);
}
