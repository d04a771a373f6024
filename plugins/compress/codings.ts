import zlib from 'node:zlib';

/** A content coding of the registry (RFC 9110 section 8.4.1) that this gateway can apply and take off. */
export type Coding = 'zstd' | 'br' | 'gzip' | 'deflate';

// Not in the type declarations of every supported Node.js line, nor in all of them at run time.
const zstd: unknown = Reflect.get(zlib, 'createZstdCompress');

/** Those that this Node.js can do, the smallest results first. */
export const SUPPORTED_CODINGS: readonly Coding[] =
  typeof zstd === 'function' ? ['zstd', 'br', 'gzip', 'deflate'] : ['br', 'gzip', 'deflate'];

/** `x-gzip` is `gzip` (RFC 9110 section 8.4.1.3). */
export function codingOf(field: string): Coding | undefined {
  const name = field.trim().toLowerCase();
  const coding = name === 'x-gzip' ? 'gzip' : name;
  return SUPPORTED_CODINGS.find((supported) => supported === coding);
}
