import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { IpRestriction } from './ip-restriction.js';

export default definePlugin({
  name: 'ip-restriction',
  summary: 'Lets clients in, or keeps them out, by their address.',
  options: Type.Object({
    allow: Type.Array(Type.String({ format: 'cidr' }), {
      default: [],
      description: 'Addresses and CIDR ranges that may pass; all may where the list is empty.',
    }),
    deny: Type.Array(Type.String({ format: 'cidr' }), {
      default: [],
      description: 'Addresses and CIDR ranges that may not pass, also where `allow` has them.',
    }),
  }),
  order: {
    before: [
      'cors',
      'auth-jwt',
      'auth-apikey',
      'rate-limit-token-bucket',
      'request-validator',
      'response-cache',
    ],
  },
  plugin: IpRestriction,
});
