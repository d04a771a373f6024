import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { Coding } from './codings.js';

/** A stream that takes a coding off. Back pressure passes through, so a body that grows a lot is not held in memory. */
export function createDecompressor(coding: Coding): Transform {
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    default: {
      const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
      if (typeof create !== 'function') throw new Error('This Node.js has no zstd');
      return create();
    }
  }
}
