import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { CircuitBreaker } from './circuit-breaker.js';

const closed = { additionalProperties: false };
const share = { exclusiveMinimum: 0, maximum: 1 };

export default definePlugin({
  name: 'circuit-breaker',
  summary: 'Cuts off services that keep failing, and tries them again after a while.',
  options: Type.Object({
    per: Type.Enum(['service', 'target'], {
      default: 'service',
      description: 'Whether the targets of a service share a circuit or have one each.',
    }),
    failureThreshold: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 5,
      description: 'Failures in a row that open a circuit. 0 for any number.',
    }),
    failureRatio: Type.Optional(
      Type.Number({ ...share, description: 'Share of failures in the window that opens a circuit.' }),
    ),
    slowRatio: Type.Optional(
      Type.Number({ ...share, description: 'Share of slow calls in the window that opens a circuit.' }),
    ),
    slowAfter: Duration({
      minimum: 1,
      default: '5s',
      description: 'Time to the head of the response after which a call is slow.',
    }),
    window: Duration({
      minimum: 1000,
      maximum: 86_400_000,
      default: '60s',
      description: 'Time over which calls are counted for the shares.',
    }),
    minimumCalls: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 20,
      description: 'Calls in the window from which on the shares mean anything.',
    }),
    statuses: Type.Array(
      Type.Union([
        Type.Integer({ minimum: 100, maximum: 599 }),
        Type.String({ pattern: '^[1-5](?:\\d\\d|[xX]{2})(?:-[1-5]\\d\\d)?$' }),
      ]),
      {
        default: [500, 502, 503, 504],
        description: 'Statuses of responses that count as failures: `503`, `5xx`, `500-504`.',
      },
    ),
    recoveryTimeout: Duration({
      minimum: 1,
      maximum: 86_400_000,
      default: '60s',
      description: 'Time from opening to the first probe.',
    }),
    probes: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 3,
      description: 'Most requests at a time that a half-open circuit lets pass.',
    }),
    successThreshold: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 3,
      description: 'Successes that close a half-open circuit.',
    }),
    fallback: Type.Optional(
      Type.Object(
        {
          service: Type.Optional(
            Type.String({ minLength: 1, description: 'Name of a service that is asked instead.' }),
          ),
          response: Type.Optional(
            Type.Object(
              {
                status: Type.Integer({
                  minimum: 200,
                  maximum: 599,
                  default: 503,
                  description: 'Its status.',
                }),
                headers: Type.Record(Type.String(), Type.String(), {
                  default: {},
                  description: 'Its header fields.',
                }),
                body: Type.Unknown({
                  default: '',
                  description: 'Its body: text as it is, anything else as JSON.',
                }),
              },
              { ...closed, description: 'A response that is given instead.' },
            ),
          ),
        },
        { ...closed, description: 'What answers while a circuit is open, instead of an error.' },
      ),
    ),
  }),
  order: {
    after: ['ip-restriction', 'auth-jwt', 'auth-apikey', 'rate-limit-token-bucket', 'traffic-split'],
    before: ['ws-proxy'],
  },
  plugin: CircuitBreaker,
});
