import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { SHARED_BY } from './policy.js';
import { RateLimit } from './rate-limit.js';

const closed = { additionalProperties: false };
const tokens = { minimum: 1, maximum: 1_000_000_000 };

export default definePlugin({
  name: 'rate-limit-token-bucket',
  summary: 'A token bucket per client, and further ones per service, per route or for all.',
  options: Type.Object({
    requests: Type.Integer({ ...tokens, default: 100, description: 'Requests per window.' }),
    window: Duration({ minimum: 1, default: '60s', description: 'In which so many requests may come.' }),
    burst: Type.Optional(
      Type.Integer({
        ...tokens,
        description: 'The most requests at once; as many as `requests` by default.',
      }),
    ),
    by: Type.Enum(SHARED_BY, {
      default: 'client',
      description: 'What requests share a bucket. A client is a consumer, or an address where there is none.',
    }),
    cost: Type.Integer({
      ...tokens,
      default: 1,
      description: 'Tokens that a request takes; for routes that are more expensive than others.',
    }),
    policies: Type.Array(
      Type.Object(
        {
          name: Type.String({
            pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
            description: 'Tells clients which policy it was.',
          }),
          by: Type.Enum(SHARED_BY, { default: 'client', description: 'What requests share a bucket.' }),
          requests: Type.Integer({ ...tokens, description: 'Requests per window.' }),
          window: Duration({
            minimum: 1,
            default: '60s',
            description: 'In which so many requests may come.',
          }),
          burst: Type.Optional(
            Type.Integer({
              ...tokens,
              description: 'The most requests at once; as many as `requests` by default.',
            }),
          ),
        },
        closed,
      ),
      { default: [], description: 'Further policies. A request must be admitted by all of them.' },
    ),
    exemptions: Type.Object(
      {
        addresses: Type.Array(Type.String({ format: 'cidr' }), {
          default: [],
          description: 'Addresses and CIDR ranges of clients.',
        }),
        consumers: Type.Array(Type.String({ minLength: 1 }), {
          default: [],
          description: 'Ids of consumers.',
        }),
        paths: Type.Array(Type.String({ pattern: '^/' }), {
          default: [],
          description: 'Paths, exact or with a final `/*` for everything below.',
        }),
      },
      { ...closed, default: {}, description: 'Who and what is not limited.' },
    ),
    maxClients: Type.Integer({
      minimum: 100,
      maximum: 10_000_000,
      default: 100_000,
      description: 'The most buckets to keep; beyond, those not used for the longest time go.',
    }),
    headers: Type.Object(
      {
        xRateLimit: Type.Boolean({
          default: true,
          description: '`X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset`.',
        }),
        rateLimit: Type.Boolean({
          default: true,
          description: '`RateLimit` and `RateLimit-Policy` of the IETF draft.',
        }),
      },
      { ...closed, default: {}, description: 'Which fields tell clients of their limit.' },
    ),
  }),
  order: {
    after: ['ip-restriction', 'cors', 'auth-jwt', 'auth-apikey'],
    before: ['response-cache'],
  },
  plugin: RateLimit,
});
