import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

/** RFC 7518 section 3.2: a key as long as the hash of HS256, in bytes. */
const LEAST_BYTES = 32;

const PLACEHOLDERS: ReadonlySet<string> = new Set([
  'your-secret-key',
  'your-strong-secret-key',
  'your-secret-key-here',
]);

/** Makes a secret that is good for every HMAC algorithm. */
export const SECRET_COMMAND = `node -e "console.log(require('crypto').randomBytes(48).toString('base64url'))"`;

/**
 * The shared secret of HMAC tokens.
 *
 * @param allowWeak lets a short or well-known secret pass, for development
 * @throws Error for a weak secret, with the command that makes a good one; for a public key given as secret, always
 */
export function readSharedSecret(secret: string, allowWeak: boolean): KeyObject {
  if (isKeyMaterial(secret)) {
    throw new Error(
      'secret is a key, not a shared secret: whoever knows the public key could sign tokens with it. Use the option publicKey',
    );
  }
  const weakness = weaknessOf(secret);
  if (weakness !== undefined && !allowWeak) {
    throw new Error(
      `secret (jwt_secret in a flat configuration) ${weakness}: anybody could forge tokens. Make a good one with\n  ${SECRET_COMMAND}\n` +
        'or, in development only, set allowWeakSecret: true',
    );
  }
  return createSecretKey(Buffer.from(secret, 'utf8'));
}

/** What is wrong with a secret, never the secret itself; undefined for a good one. */
export function weaknessOf(secret: string): string | undefined {
  if (PLACEHOLDERS.has(secret.trim().toLowerCase())) return 'is a placeholder from the documentation';
  const bytes = Buffer.byteLength(secret.trim());
  if (bytes < LEAST_BYTES) return `has ${bytes} bytes, and needs at least ${LEAST_BYTES}`;
  return undefined;
}

/** PEM, a JWK, an OpenSSH key, or a bare SubjectPublicKeyInfo in base64. */
function isKeyMaterial(secret: string): boolean {
  if (/-----BEGIN|^\s*(?:ssh-|ecdsa-sha2-)|"kty"\s*:/.test(secret)) return true;
  try {
    createPublicKey({ key: Buffer.from(secret, 'base64'), format: 'der', type: 'spki' });
    return true;
  } catch {
    return false;
  }
}
