import { Type } from 'typebox';
import { definePlugin, Size } from '../../core/index.js';
import { SUPPORTED_CODINGS } from './codings.js';
import { Compress } from './compress.js';

export default definePlugin({
  name: 'compress',
  summary: 'Compresses responses for clients that can take it, and decompresses for those that cannot.',
  options: Type.Object({
    codings: Type.Array(Type.Enum(['zstd', 'br', 'gzip', 'deflate']), {
      default: SUPPORTED_CODINGS,
      minItems: 1,
      uniqueItems: true,
      description:
        'Codings to use; of several that a client likes equally, the first. `zstd` needs Node.js 22.15.',
    }),
    threshold: Size({ default: '1kb', description: 'Bodies that are known to be smaller stay as they are.' }),
    types: Type.Array(Type.String({ pattern: '^[a-z0-9.+-]+/(?:[a-z0-9.+-]+|\\*)$' }), {
      default: [],
      description: 'Further media types to compress, such as `application/x-quotes` or `model/*`.',
    }),
    level: Type.Object(
      {
        zstd: Type.Integer({ minimum: 1, maximum: 22, default: 3, description: 'Of zstd, 1 to 22.' }),
        br: Type.Integer({ minimum: 0, maximum: 11, default: 4, description: 'Of Brotli, 0 to 11.' }),
        gzip: Type.Integer({
          minimum: 1,
          maximum: 9,
          default: 6,
          description: 'Of gzip and deflate, 1 to 9.',
        }),
      },
      { default: {}, additionalProperties: false, description: 'How hard to try.' },
    ),
    decompress: Type.Boolean({
      default: true,
      description:
        'Whether a body that the service compressed is decompressed for a client that cannot take it.',
    }),
  }),
  order: { before: ['response-cache'] },
  plugin: Compress,
});
