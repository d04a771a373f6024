import { Type } from 'typebox';
import { Duration, definePlugin } from '../../core/index.js';
import { FaultInjection } from './fault-injection.js';
import { ABORT_STATUSES, type AbortStatus } from './statuses.js';

const closed = { additionalProperties: false };
const LONGEST = 3_600_000;

const percentage = Type.Number({
  minimum: 0,
  maximum: 100,
  default: 100,
  description: 'Share of the requests; with `header`, of those that have it.',
});

const header = Type.Optional(
  Type.String({
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    description: 'Only requests with this header field, whose value may say what they want.',
  }),
);

const Status = (annotations: { default?: AbortStatus; description?: string }) =>
  Type.Unsafe<AbortStatus>({ enum: [...ABORT_STATUSES], ...annotations });

export default definePlugin({
  name: 'fault-injection',
  summary: 'Holds requests up or aborts them, for tests.',
  options: Type.Object({
    delay: Type.Optional(
      Type.Object(
        {
          percentage,
          header,
          duration: Duration({
            maximum: LONGEST,
            description: 'How long requests are held up.',
          }),
          maxDuration: Type.Optional(
            Duration({
              maximum: LONGEST,
              description:
                'Each request for a time between `duration` and this one. Also the most that a header gets; `duration` without it.',
            }),
          ),
        },
        { ...closed, description: 'Holds requests up.' },
      ),
    ),
    abort: Type.Optional(
      Type.Object(
        {
          percentage,
          header,
          status: Status({
            default: 503,
            description: 'What they are answered with; `reset` breaks the connection off.',
          }),
          headerStatuses: Type.Array(Status({}), {
            default: [],
            description: 'What else a header may ask for.',
          }),
        },
        { ...closed, description: 'Aborts requests, after the delay where there is one.' },
      ),
    ),
    maxDelayed: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      default: 1000,
      description: 'Most requests held up at a time, of all routes together; further ones are not.',
    }),
  }),
  order: {
    after: ['ip-restriction', 'cors', 'auth-jwt', 'auth-apikey'],
    before: ['response-cache', 'traffic-shadow'],
  },
  plugin: FaultInjection,
});
