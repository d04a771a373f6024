import { type Static, Type } from 'typebox';
import { Duration, LONGEST_TIMER, Size } from './units.js';

/*
 * The settings of retries: those of a service with their defaults, and those that a route may give instead, which have
 * none: what a route leaves out is the service's.
 */

const closed = { additionalProperties: false } as const;

/** A form of the same settings: with defaults, or without. */
type Fallback = 'default' | 'none';

function or<Value>(fallback: Fallback, value: Value): { default?: Value } {
  return fallback === 'default' ? { default: value } : {};
}

function duration(fallback: Fallback, value: string | number, description: string) {
  return Duration({ ...or(fallback, value), description, maximum: LONGEST_TIMER });
}

/** `connect`, `reset`, `timeout`, `503`, `5xx`; a status may also be a number. */
const Cause = Type.Union([
  Type.String({ pattern: '^(?:connect|reset|timeout|[45]xx|[45]\\d\\d)$' }),
  Type.Integer({ minimum: 400, maximum: 599 }),
]);

function attempts(fallback: Fallback) {
  return Type.Integer({
    minimum: 1,
    maximum: 10,
    ...or(fallback, 2),
    description: 'Most attempts of a request, the first included. `retries: false` is short for 1.',
  });
}

function causes(fallback: Fallback) {
  return Type.Array(Cause, {
    ...or(fallback, ['connect', 'reset']),
    description:
      'What is tried again, at another target: `connect` (no connection, nothing was sent), `reset` (broken off before the head), `timeout` (no head within `timeout.response`), and statuses: `503`, `5xx`.',
  });
}

function methods(fallback: Fallback) {
  return Type.Array(Type.String({ pattern: '^[A-Z][A-Z-]*$' }), {
    ...or(fallback, ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']),
    description:
      'Methods that are safe to repeat. Others are tried again only where nothing of the request was sent.',
  });
}

function sameTarget(fallback: Fallback) {
  return Type.Boolean({
    ...or(fallback, false),
    description:
      'Whether a target that refused or broke off is tried again where there is no other. If not, that is done only where a pooled connection broke.',
  });
}

function perTryTimeout(fallback: Fallback) {
  return duration(
    fallback,
    0,
    'From the start of an attempt to the head of its response; a slower attempt is given up and tried again. 0 for no limit.',
  );
}

const BASE =
  'Longest wait before a retry; doubled each time. A first retry after a failed connection is not delayed.';
const MAX = 'Longest wait that it doubles up to.';

function jitter(fallback: Fallback) {
  return Type.Number({
    minimum: 0,
    maximum: 1,
    ...or(fallback, 1),
    description: 'Share of the wait that is random: 1 for anything from none to all of it, 0 for all of it.',
  });
}

function retryAfterMax(fallback: Fallback) {
  return duration(
    fallback,
    '2s',
    'Longest `Retry-After` of a response that is waited for; one that asks for more is passed on.',
  );
}

function bufferLimit(fallback: Fallback) {
  return Size({
    ...or(fallback, '64kb'),
    description: 'Most bytes of a request body that are kept to be sent again.',
  });
}

const BudgetSchema = Type.Object(
  {
    ratio: Type.Number({
      minimum: 0,
      maximum: 10,
      default: 0.2,
      description: 'Most retries that fail as well, as a share of the recent requests.',
    }),
    minConcurrency: Type.Integer({
      minimum: 0,
      maximum: 1000,
      default: 3,
      description: 'Retries at a time that are allowed however few the requests, until they fail.',
    }),
    window: Duration({
      minimum: 1000,
      maximum: 600_000,
      default: '10s',
      description: 'How long a request counts as recent.',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Keeps retries from multiplying the load on a service that is down.',
  },
);

/** `retries` of a service. */
export const RetriesSchema = Type.Object(
  {
    attempts: attempts('default'),
    on: causes('default'),
    methods: methods('default'),
    sameTarget: sameTarget('default'),
    perTryTimeout: perTryTimeout('default'),
    backoff: Type.Object(
      {
        base: duration('default', '25ms', BASE),
        max: duration('default', '250ms', MAX),
        jitter: jitter('default'),
      },
      { ...closed, default: {}, description: 'Waits between attempts.' },
    ),
    retryAfterMax: retryAfterMax('default'),
    bufferLimit: bufferLimit('default'),
    budget: BudgetSchema,
  },
  { ...closed, default: {}, description: 'Further attempts where one has failed.' },
);

/** `retries` of a route. */
export const RouteRetriesSchema = Type.Object(
  {
    attempts: Type.Optional(attempts('none')),
    on: Type.Optional(causes('none')),
    methods: Type.Optional(methods('none')),
    sameTarget: Type.Optional(sameTarget('none')),
    perTryTimeout: Type.Optional(perTryTimeout('none')),
    backoff: Type.Optional(
      Type.Object(
        {
          base: Type.Optional(duration('none', 0, BASE)),
          max: Type.Optional(duration('none', 0, MAX)),
          jitter: Type.Optional(jitter('none')),
        },
        { ...closed, description: 'Waits between attempts.' },
      ),
    ),
    retryAfterMax: Type.Optional(retryAfterMax('none')),
    bufferLimit: Type.Optional(bufferLimit('none')),
  },
  {
    ...closed,
    description: 'Instead of those of the service; what is left out is the service’s. No `budget`.',
  },
);

/** What holds where a service has none: one that was stored before there were retries, for example. */
export const DEFAULT_RETRIES: RetrySettings = {
  attempts: 2,
  on: ['connect', 'reset'],
  methods: ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'],
  sameTarget: false,
  perTryTimeout: 0,
  backoff: { base: 25, max: 250, jitter: 1 },
  retryAfterMax: 2000,
  bufferLimit: 64 * 1024,
  budget: { ratio: 0.2, minConcurrency: 3, window: 10_000 },
};

export type RetrySettings = Static<typeof RetriesSchema>;
export type RouteRetrySettings = Static<typeof RouteRetriesSchema>;
