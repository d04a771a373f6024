import { Type } from 'typebox';
import { Duration, definePlugin, Size } from '../../core/index.js';
import { TrafficShadow } from './traffic-shadow.js';

export default definePlugin({
  name: 'traffic-shadow',
  summary: 'Sends copies of requests to a second service, and throws the responses away.',
  options: Type.Object({
    service: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Name of the service that gets the copies; none without it.',
      }),
    ),
    percentage: Type.Number({
      minimum: 0,
      maximum: 100,
      default: 100,
      description: 'Share of the requests that are copied.',
    }),
    methods: Type.Array(Type.String({ pattern: '^[A-Z][A-Z-]*$' }), {
      default: ['GET', 'HEAD', 'OPTIONS'],
      description: 'Methods that are copied. Others than these change something at the second service, too.',
    }),
    maxBody: Size({
      default: '64kb',
      description: 'Requests with a larger body, or one of unknown length, are not copied.',
    }),
    maxConcurrent: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 100,
      description: 'Most copies under way at a time, of all routes together; further ones are not sent.',
    }),
    timeout: Duration({
      minimum: 1,
      maximum: 3_600_000,
      default: '5s',
      description: 'Until the end of the response to a copy; then it is broken off.',
    }),
    removeHeaders: Type.Array(Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }), {
      default: ['authorization', 'cookie', 'x-api-key'],
      description: 'Header fields that copies do not have.',
    }),
  }),
  order: {
    after: [
      'ip-restriction',
      'cors',
      'auth-jwt',
      'auth-apikey',
      'rate-limit-token-bucket',
      'request-validator',
      'header-transform',
      'response-cache',
      'fault-injection',
      'traffic-split',
    ],
  },
  plugin: TrafficShadow,
});
