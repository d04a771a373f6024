import { Type } from 'typebox';
import { Duration, definePlugin, Size } from '../../core/index.js';
import { UNDECLARED } from './policy.js';
import { ResponseCache } from './response-cache.js';

const closed = { additionalProperties: false };

export default definePlugin({
  name: 'response-cache',
  summary: 'A shared HTTP cache by RFC 9111.',
  options: Type.Object({
    ttl: Duration({
      default: '300s',
      description: 'How long a response is fresh that says nothing of it. 0 switches the cache off.',
    }),
    undeclared: Type.Enum(UNDECLARED, {
      default: 'ttl',
      description:
        'Which responses without freshness of their own are fresh: all with status 200 for `ttl`, only those with Last-Modified, or none.',
    }),
    override: Type.Boolean({
      default: false,
      description: 'Let `ttl` win over the freshness that responses bring. What must not be stored is not.',
    }),
    statuses: Type.Array(Type.Integer({ minimum: 200, maximum: 599 }), {
      default: [200],
      description: 'Statuses of responses that may be stored; an empty list for all that RFC 9111 lets be.',
    }),
    staleWhileRevalidate: Duration({
      default: 0,
      description:
        'How long a stale response is served while a new one is fetched, where the response says nothing.',
    }),
    staleIfError: Duration({
      default: '60s',
      description:
        'How long a stale response is served when the upstream fails, where the response says nothing.',
    }),
    storeSetCookie: Type.Boolean({
      default: false,
      description:
        'Store responses with `Set-Cookie` too, and give their cookies to all who get them, as RFC 9111 lets a cache do.',
    }),
    requestDirectives: Type.Boolean({
      default: true,
      description: 'Whether `Cache-Control` and `Pragma` of requests count.',
    }),
    targetedFields: Type.Array(Type.String({ pattern: '^[a-z0-9-]+$' }), {
      default: ['cdn-cache-control'],
      description: 'Fields that count instead of `Cache-Control`, in lower case, the first most (RFC 9213).',
    }),
    maxSize: Size({ default: '128mb', description: 'Most memory for all stored responses together.' }),
    maxEntries: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
      description: 'Most responses to store; beyond, those not used for the longest time go.',
    }),
    maxEntrySize: Size({ default: '2mb', description: 'Largest body to store; larger ones pass by.' }),
    coalesce: Type.Object(
      {
        enabled: Type.Boolean({ default: true, description: 'Let equal requests wait for one response.' }),
        wait: Duration({
          minimum: 1,
          maximum: 2 ** 31 - 1,
          default: '10s',
          description: 'How long they wait before they go to the upstream themselves.',
        }),
        maxWaiting: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 10_000,
          description: 'Most requests that wait for one response.',
        }),
      },
      { ...closed, default: {}, description: 'Concurrent requests for what is not stored yet.' },
    ),
  }),
  order: {
    after: [
      'compress',
      'header-transform',
      'request-validator',
      'rate-limit-token-bucket',
      'auth-jwt',
      'auth-apikey',
    ],
  },
  plugin: ResponseCache,
});
