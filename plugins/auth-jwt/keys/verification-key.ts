import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Algorithm, algorithmsOf } from './algorithms.js';

/** A key, and the only algorithms that it is ever used with. */
export interface VerificationKey {
  /** The `kid` of the tokens it verifies; undefined for a key without a name. */
  readonly kid: string | undefined;
  readonly key: KeyObject;
  readonly algorithms: readonly Algorithm[];
}

/** The algorithm of a public key whose configuration names none. */
const PREFERRED: readonly Algorithm[] = ['RS256', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'];

/**
 * Binds a key to its algorithms.
 *
 * @param allowed as configured; undefined for the usual one of the key's type
 * @param name of the option, for messages
 * @param baseDirectory folder that the file is relative to
 * @throws Error when the key's type allows none of them
 */
export function verificationKey(
  name: string,
  key: KeyObject,
  kid: string | undefined,
  allowed: readonly Algorithm[] | undefined,
): VerificationKey {
  const possible = algorithmsOf(key);
  if (possible.length === 0) {
    throw new Error(
      `${name} cannot verify tokens: it must be an RSA key of at least 2048 bits, or an EC key on P-256, P-384 or P-521`,
    );
  }
  const usual = PREFERRED.filter((algorithm) => possible.includes(algorithm)).slice(0, 1);
  const algorithms =
    allowed === undefined ? usual : possible.filter((algorithm) => allowed.includes(algorithm));
  if (algorithms.length === 0) {
    throw new Error(
      `None of the algorithms ${allowed?.join(', ')} goes with ${name}, which can have ${possible.join(', ')}`,
    );
  }
  return { kid, key, algorithms };
}

/**
 * A public key out of the configuration.
 *
 * @param written PEM text (a public key or a certificate), or the name of a file with it
 * @param name of the option, for messages
 * @throws Error when it cannot be read, is no public key, or is a private one
 */
export function readPublicKey(name: string, written: string, baseDirectory: string): KeyObject {
  const pem = written.includes('-----BEGIN') ? written : readPem(name, written, baseDirectory);
  if (pem.includes('PRIVATE KEY')) {
    throw new Error(
      `${name} is a private key. The gateway only needs the public one: openssl pkey -in private.pem -pubout`,
    );
  }
  try {
    return createPublicKey(pem);
  } catch {
    // The reason is OpenSSL's, and of no use to the author of a configuration.
    throw new Error(
      `${name} holds no public key: expected PEM text that starts with -----BEGIN PUBLIC KEY-----`,
    );
  }
}

function readPem(name: string, file: string, baseDirectory: string): string {
  try {
    return readFileSync(resolve(baseDirectory, file), 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    // What was written may be a secret in the wrong place: it is not repeated.
    throw new Error(`${name} is neither PEM text nor the name of a file that can be read (${code})`);
  }
}
