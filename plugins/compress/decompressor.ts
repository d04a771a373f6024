import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { GatewayError } from '../../core/index.js';
import type { Coding } from './codings.js';

/**
 * A stream that takes a coding off. Back pressure passes through, so a body that grows a lot is not held in memory. It fails
 * with BAD_GATEWAY where the body is damaged; an empty one is none, whatever coding the service has put on it.
 */
export function createDecompressor(coding: Coding): Transform {
  const stream = create(coding);
  let isEmpty = true;
  const { _transform: transform, _flush: flush, destroy } = stream;
  stream._transform = (chunk: Buffer, encoding, done) => {
    isEmpty &&= chunk.length === 0;
    transform.call(stream, chunk, encoding, done);
  };
  stream._flush = (done) => (isEmpty ? done() : flush.call(stream, done));
  stream.destroy = (error) => {
    const failure = error ? new GatewayError('BAD_GATEWAY', { cause: error }) : undefined;
    return destroy.call(stream, failure);
  };
  return stream;
}

function create(coding: Coding): Transform {
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    default: {
      const createZstd: unknown = Reflect.get(zlib, 'createZstdDecompress');
      if (typeof createZstd !== 'function') throw new Error('This Node.js has no zstd');
      return createZstd();
    }
  }
}
