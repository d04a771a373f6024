import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { Cors } from './cors.js';
import { ORIGIN_PATTERN } from './origins.js';

const FIELD_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

export default definePlugin({
  name: 'cors',
  summary: 'Lets pages of other origins use the services from a browser.',
  options: Type.Object({
    origins: Type.Array(Type.String({ pattern: ORIGIN_PATTERN }), {
      default: ['*'],
      description: 'Origins that may: exact ones, patterns like `https://*.example.com`, or `*` for any.',
    }),
    methods: Type.Array(Type.String({ pattern: '^[A-Za-z-]+$' }), {
      default: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH'],
      description: 'Methods that a page may use.',
    }),
    headers: Type.Array(Type.String({ pattern: FIELD_NAME }), {
      default: [],
      description: 'Header fields that a page may send; where the list is empty, those that it asks for.',
    }),
    exposed: Type.Array(Type.String({ pattern: FIELD_NAME }), {
      default: [],
      description: 'Header fields of responses that a page may read.',
    }),
    credentials: Type.Boolean({
      default: false,
      description: 'Whether cookies and HTTP authentication may come along; never with `*`.',
    }),
    maxAge: Duration({ default: '10m', description: 'How long a browser may remember a preflight.' }),
    privateNetwork: Type.Boolean({
      default: false,
      description: 'Whether pages of the public internet may reach a gateway in a private network.',
    }),
  }),
  order: {
    after: ['ip-restriction'],
    before: ['auth-jwt', 'auth-apikey', 'rate-limit-token-bucket', 'request-validator', 'response-cache'],
  },
  plugin: Cors,
});
