import { type Static, Type } from 'typebox';
import { PluginOverrides } from './plugin-schema.js';
import { RetriesSchema } from './retries-schema.js';
import { Duration, LONGEST_TIMER } from './units.js';

/** The settings of one service in their normal form; see schema.ts. */

const closed = { additionalProperties: false } as const;

/** A duration that a timer is set by. */
const Timer = (options: Parameters<typeof Duration>[0]) => Duration({ ...options, maximum: LONGEST_TIMER });

const UpstreamTlsSchema = Type.Object(
  {
    ca: Type.Optional(
      Type.String({ description: 'File with the CA certificates (PEM) to trust instead of the system’s.' }),
    ),
    cert: Type.Optional(Type.String({ description: 'File with the client certificate (PEM).' })),
    key: Type.Optional(Type.String({ description: 'File with the key of the client certificate (PEM).' })),
    servername: Type.Optional(
      Type.String({ description: 'Name to ask for (SNI) and to check the certificate against.' }),
    ),
    verify: Type.Boolean({ default: true, description: 'Check the certificate. Only off in development.' }),
  },
  { ...closed, default: {}, description: 'TLS towards `https:` targets.' },
);

const TargetSchema = Type.Object(
  {
    url: Type.String({
      format: 'upstream-origin',
      description: 'Origin of the target: `http://host:port` or `https://host:port`.',
    }),
    weight: Type.Integer({
      minimum: 0,
      maximum: 1000,
      default: 1,
      description: 'Share of the traffic; 0 for none.',
    }),
    priority: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        default: 0,
        description:
          'Group of the target: a higher number is a backup, used when no lower one has a target left.',
      }),
    ),
  },
  { ...closed, description: 'One upstream server.' },
);

const HealthSchema = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Check the targets. `health: false` is short for off.',
    }),
    path: Type.String({ pattern: '^/', default: '/health', description: 'Path that is asked for with GET.' }),
    interval: Timer({ default: '30s', minimum: 1, description: 'Time between two checks of a target.' }),
    timeout: Timer({ default: '5s', minimum: 1, description: 'A check that takes longer has failed.' }),
    status: Type.Array(Type.String({ pattern: '^[1-5](?:\\d\\d|xx)(?:-[1-5]\\d\\d)?$' }), {
      default: ['2xx'],
      minItems: 1,
      description: 'Statuses that count as healthy: `2xx`, `204`, `200-399`.',
    }),
    rise: Type.Integer({
      minimum: 1,
      default: 1,
      description: 'Successes in a row that make a target healthy.',
    }),
    fall: Type.Integer({
      minimum: 1,
      default: 2,
      description: 'Failures in a row that make a target unhealthy.',
    }),
  },
  { ...closed, default: {}, description: 'Active health checks.' },
);

const TimeoutSchema = Type.Object(
  {
    connect: Timer({ default: '2s', description: 'To connect to a target, TLS included. 0 for no limit.' }),
    response: Timer({
      default: '60s',
      description: 'From the request to the head of the response. 0 for no limit.',
    }),
    idle: Timer({ default: '60s', description: 'Between two chunks of a response body. 0 for no limit.' }),
    total: Timer({ default: 0, description: 'From the request to the end of the response. 0 for no limit.' }),
  },
  { ...closed, default: {}, description: 'Time limits towards the targets.' },
);

const LoadBalancingSchema = Type.Object(
  {
    algorithm: Type.Enum(['round-robin', 'least-connections', 'power-of-two-choices', 'consistent-hash'], {
      default: 'round-robin',
      description: 'How a target is picked.',
    }),
    hashOn: Type.Enum(['client-address', 'consumer', 'header', 'cookie'], {
      default: 'client-address',
      description: 'What `consistent-hash` hashes.',
    }),
    hashKey: Type.Optional(
      Type.String({ minLength: 1, description: 'Name of the header or cookie to hash.' }),
    ),
  },
  { ...closed, default: {}, description: 'Spread of requests over the targets.' },
);

const PoolSchema = Type.Object(
  {
    connections: Type.Integer({
      minimum: 1,
      maximum: 65535,
      default: 256,
      description: 'Most connections per target.',
    }),
    keepAlive: Timer({
      default: '4s',
      description:
        'How long an idle connection is kept; less than the target’s own limit, so that it never closes first.',
    }),
  },
  { ...closed, default: {}, description: 'Pooled connections to the targets.' },
);

const OutlierEjectionSchema = Type.Object(
  {
    consecutiveFailures: Type.Integer({
      minimum: 0,
      default: 5,
      description: 'Failures in a row that eject a target. 0 for no such rule.',
    }),
    failureRatio: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'Share of failures within the window that ejects a target. 0 for no such rule.',
    }),
    window: Duration({ default: '10s', minimum: 10, description: 'Time over which the share is counted.' }),
    minimumVolume: Type.Integer({
      minimum: 1,
      default: 20,
      description: 'Requests within the window from which on the share counts.',
    }),
    baseTime: Timer({
      default: '10s',
      minimum: 1,
      description: 'Length of the first ejection; each further one takes twice as long.',
    }),
    maxTime: Timer({ default: '5m', minimum: 1, description: 'Longest ejection.' }),
    maxShare: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.5,
      description: 'Most of the targets that may be out at a time; never the last one.',
    }),
  },
  { ...closed, description: 'Takes out targets that fail real requests. Off by default; `{}` for on.' },
);

const SlowStartSchema = Type.Object(
  {
    duration: Timer({
      default: '30s',
      minimum: 1,
      description: 'Time in which the share grows to the whole.',
    }),
    minimumShare: Type.Number({
      minimum: 0.01,
      maximum: 1,
      default: 0.1,
      description: 'Part of its share that a target starts with.',
    }),
  },
  {
    ...closed,
    description: 'Growing traffic for a target that returned or was added. Off by default; `{}` for on.',
  },
);

const AdaptiveConcurrencySchema = Type.Object(
  {
    minimum: Type.Integer({ minimum: 1, maximum: 65535, default: 4, description: 'Lowest limit.' }),
    initial: Type.Integer({ minimum: 1, maximum: 65535, default: 20, description: 'Limit at the start.' }),
    maximum: Type.Integer({
      minimum: 1,
      maximum: 65535,
      default: 1000,
      description: 'Highest limit; `perTarget` where that is lower.',
    }),
    tolerance: Type.Number({
      minimum: 0,
      maximum: 10,
      default: 0.5,
      description: 'Share by which the latency may exceed that of an unloaded target.',
    }),
  },
  { ...closed, description: 'A limit per target that follows its latency. Off by default; `{}` for on.' },
);

const ConcurrencySchema = Type.Object(
  {
    limit: Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Most requests at a time to the service. 0 for no limit.',
    }),
    perTarget: Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Most requests at a time to one target. 0 for no limit.',
    }),
    queue: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'Requests over a limit that may wait; others get 503 at once.',
    }),
    maxWait: Timer({ default: '1s', minimum: 1, description: 'Longest wait in the queue; then 503.' }),
    adaptive: Type.Optional(AdaptiveConcurrencySchema),
  },
  { ...closed, description: 'Limits of requests under way. Off by default.' },
);
export const ServiceSchema = Type.Object(
  {
    targets: Type.Array(TargetSchema, { minItems: 1, description: 'The servers of the service.' }),
    basePath: Type.String({
      pattern: '^/',
      default: '/api/v1',
      description: 'What replaces `/api/v1/{service}` in the upstream path.',
    }),
    websocketBasePath: Type.String({
      pattern: '^/',
      default: '/ws',
      description: 'What replaces `/ws/{service}` in the upstream path.',
    }),
    preserveHost: Type.Boolean({
      default: false,
      description: 'Send the client’s `Host` instead of the target’s.',
    }),
    loadBalancing: LoadBalancingSchema,
    health: HealthSchema,
    timeout: TimeoutSchema,
    retries: Type.Optional(RetriesSchema),
    pool: PoolSchema,
    tls: UpstreamTlsSchema,
    outlierEjection: Type.Optional(OutlierEjectionSchema),
    slowStart: Type.Optional(SlowStartSchema),
    concurrency: Type.Optional(ConcurrencySchema),
    plugins: PluginOverrides,
  },
  { ...closed, description: 'A service. A URL alone is short for one target.' },
);

export type ServiceSettings = Static<typeof ServiceSchema>;
export type HealthSettings = Static<typeof HealthSchema>;
export type LoadBalancingSettings = Static<typeof LoadBalancingSchema>;
export type OutlierEjectionSettings = Static<typeof OutlierEjectionSchema>;
export type ConcurrencySettings = Static<typeof ConcurrencySchema>;
export type AdaptiveConcurrencySettings = Static<typeof AdaptiveConcurrencySchema>;
export type UpstreamTlsSettings = Static<typeof UpstreamTlsSchema>;
