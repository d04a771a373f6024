import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/** What scrypt costs (RFC 7914 section 2): memory is `128 * 2^ln * r` bytes. */
export interface ScryptCost {
  /** The binary logarithm of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** A password as it is kept: only good to check a password against. */
export interface PasswordHash extends ScryptCost {
  readonly salt: Buffer;
  readonly digest: Buffer;
}

/** Derives key material; scrypt itself, or a test's counter around it. */
export type Derive = (
  password: string,
  salt: Buffer,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer>;

/** 32 MiB and about a quarter of a second: the OWASP recommendation for N = 2^15. */
const DEFAULT_COST: ScryptCost = { ln: 15, r: 8, p: 3 };

/** Below 2^14 a hash is quick to break; above 2^18 one login takes seconds and 256 MiB. */
const LN = { least: 14, most: 18 };
/** RFC 7914 section 2: r = 8 is what everybody uses; more only costs memory. */
const MOST_R = 16;
const MOST_P = 16;
const MOST_MEMORY = 256 * 1024 * 1024;
const SALT_BYTES = 16;
const DIGEST_BYTES = 32;
const LEAST_SALT_BYTES = 8;
const LEAST_DIGEST_BYTES = 16;

const FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,128})\$([A-Za-z0-9+/]{8,128})$/;

const nodeScrypt: Derive = (password, salt, length, options) =>
  new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });

/**
 * Hashes a password with scrypt and a fresh salt.
 *
 * @returns `$scrypt$ln=15,r=8,p=3$salt$digest`, the PHC string format
 */
export async function hashPassword(password: string, cost: ScryptCost = DEFAULT_COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const digest = await nodeScrypt(normalise(password), salt, DIGEST_BYTES, toOptions(cost));
  const { ln, r, p } = cost;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(digest)}`;
}

/** Reads what {@link hashPassword} made; undefined for anything else, and for costs that are too low or too high. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const [, ln, r, p, salt, digest] = FORMAT.exec(text) ?? [];
  if (salt === undefined || digest === undefined) return undefined;
  const hash = {
    ln: Number(ln),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64'),
    digest: Buffer.from(digest, 'base64'),
  };
  const memory = 128 * 2 ** hash.ln * hash.r;
  const sound =
    hash.ln >= LN.least &&
    hash.ln <= LN.most &&
    hash.r >= 8 &&
    hash.r <= MOST_R &&
    hash.p >= 1 &&
    hash.p <= MOST_P &&
    memory <= MOST_MEMORY &&
    hash.salt.length >= LEAST_SALT_BYTES &&
    hash.digest.length >= LEAST_DIGEST_BYTES;
  return sound ? hash : undefined;
}

/** A hash of the same cost as `like` that no password fits; for the time it takes to check one. */
export function unmatchableHash(like: PasswordHash): PasswordHash {
  return { ...like, salt: randomBytes(like.salt.length), digest: randomBytes(like.digest.length) };
}

/** Whether a password is the one that was hashed. Takes the time that the hash's cost says, whatever the answer. */
export async function verifyPassword(
  password: string,
  hash: PasswordHash,
  derive: Derive = nodeScrypt,
): Promise<boolean> {
  const digest = await derive(normalise(password), hash.salt, hash.digest.length, toOptions(hash));
  return digest.length === hash.digest.length && timingSafeEqual(digest, hash.digest);
}

/** RFC 8265 section 4.2: the same characters make the same password on every keyboard. */
function normalise(password: string): string {
  return password.normalize('NFC');
}

function toOptions({ ln, r, p }: ScryptCost): ScryptOptions {
  const N = 2 ** ln;
  return { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 * 1024 };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
