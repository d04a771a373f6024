/**
 * A 32-bit hash of a text: FNV-1a, then the finaliser of MurmurHash3, because FNV alone leaves the high bits of short
 * texts nearly equal.
 *
 * It is fast and spreads well, and that is all: it is no protection against a client that chooses its key so as to
 * meet a certain target. A cryptographic hash would not be one either, as the client could try keys until one fits.
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix32(hash);
}

/** Spreads 32 bits so that each input bit changes half of the output bits: the finaliser of MurmurHash3. */
export function mix32(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
