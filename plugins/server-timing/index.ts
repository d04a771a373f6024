import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { ServerTiming } from './server-timing.js';

export default definePlugin({
  name: 'server-timing',
  summary: 'Tells chosen clients where the time of their request went (Server-Timing).',
  options: Type.Object({
    addresses: Type.Array(Type.String({ format: 'cidr' }), {
      default: ['127.0.0.0/8', '::1'],
      description:
        'Clients that are told: addresses and CIDR ranges. This machine only by default; 0.0.0.0/0 and ::/0 for all.',
    }),
    consumers: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: 'Consumers that are told wherever they come from, as an authentication plugin names them.',
    }),
  }),
  plugin: ServerTiming,
});
