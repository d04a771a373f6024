import { promisify } from 'node:util';
import zlib from 'node:zlib';
import koaCompress from 'koa-compress';
import type { EndpointMiddleware } from '../../core/index.js';
import type { Coding } from './codings.js';

/** How hard to try, per coding. */
export interface Levels {
  readonly zstd: number;
  readonly br: number;
  readonly gzip: number;
}

/** Compresses with one coding. */
export interface Compressor {
  readonly coding: Coding;
  /** Tells apart what differently configured compressors made. */
  readonly key: string;
  /** A body that is there in full. */
  readonly whole: (body: Buffer) => Promise<Buffer>;
  /** koa-compress for a stream of known length. */
  readonly measured: EndpointMiddleware;
  /** The same for a stream that may come bit by bit: each chunk is flushed. */
  readonly flushed: EndpointMiddleware;
}

const { constants } = zlib;
const OFF = { zstd: false, br: false, gzip: false, deflate: false } as const;
const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflate);
const brotli = promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);

/** ZSTD_c_compressionLevel and ZSTD_e_flush, for the type declarations of Node.js lines without zstd. */
const ZSTD = { level: 100, flush: 1 };

export function createCompressor(coding: Coding, levels: Levels): Compressor {
  const level = coding === 'deflate' ? levels.gzip : levels[coding];
  const key = `${coding}:${level}`;
  const { options, flush, whole } = methodOf(coding, level);
  const stream = (own: object): EndpointMiddleware => {
    const only = { ...OFF, [coding]: own, wildcardAcceptEncoding: coding };
    const compress = koaCompress({ ...only, threshold: 0, filter: () => true });
    return (ctx, next) => compress(ctx, next);
  };
  return { coding, key, whole, measured: stream(options), flushed: stream({ ...options, flush }) };
}

function methodOf(
  coding: Coding,
  level: number,
): { options: object; flush: number; whole: Compressor['whole'] } {
  switch (coding) {
    case 'br': {
      const params = { [constants.BROTLI_PARAM_QUALITY]: level };
      return {
        options: { params },
        flush: constants.BROTLI_OPERATION_FLUSH,
        whole: (body) =>
          brotli(body, { params: { ...params, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } }),
      };
    }
    case 'zstd': {
      const options = { params: { [ZSTD.level]: level } };
      return { options, flush: ZSTD.flush, whole: (body) => zstd(body, options) };
    }
    default: {
      const options = { level };
      const whole = coding === 'gzip' ? gzip : deflate;
      return { options, flush: constants.Z_SYNC_FLUSH, whole: (body) => whole(body, options) };
    }
  }
}

/** Only called where codings.ts found zstd. */
function zstd(body: Buffer, options: object): Promise<Buffer> {
  const compress: unknown = Reflect.get(zlib, 'zstdCompress');
  if (typeof compress !== 'function') return Promise.reject(new Error('This Node.js has no zstd'));
  return new Promise((resolve, reject) => {
    compress(body, options, (error: Error | null, result: Buffer) =>
      error ? reject(error) : resolve(result),
    );
  });
}
