import { hash, randomBytes } from 'node:crypto';

/** Shortest and longest text that can be a key, in characters; anything else is refused unread. */
export const KEY_LENGTH = { minimum: 16, maximum: 256 } as const;

const RANDOM_BYTES = 32;
/** Characters that tell keys apart in a list: `gw_` and 42 of the 256 random bits. */
const DISPLAYED = 10;

/** A new key: `gw_` and 32 random bytes in base64url (RFC 4648 section 5). */
export function generateKey(): string {
  return `gw_${randomBytes(RANDOM_BYTES).toString('base64url')}`;
}

/** The part of a generated key that may be shown in lists. */
export function displayPrefix(key: string): string {
  return key.slice(0, DISPLAYED);
}

/**
 * SHA-256 of a key, in lower-case hexadecimal. A key has 256 random bits: there is nothing for a slow hash to make
 * harder. A string, since a Buffer takes five times as long to make.
 */
export function digestOf(key: string): string {
  return hash('sha256', key, 'hex');
}
