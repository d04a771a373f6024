import { type Static, Type } from 'typebox';
import { RetriesSchema, RouteRetriesSchema } from './retries-schema.js';
import { Duration, LONGEST_TIMER, Size } from './units.js';

/**
 * Every setting of `.gatewayrc` in its normal form: short forms (a service as a URL, a plugin as its name) have been
 * written out before validation, and after it durations are milliseconds and sizes are bytes. The schema file for
 * editors, docs/reference/configuration.md and config/default.gatewayrc.yaml are generated from, or tested against,
 * these declarations.
 */

const closed = { additionalProperties: false } as const;

const Port = (description: string, fallback?: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65535,
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

/** A duration that a timer is set by. */
const Timer = (options: Parameters<typeof Duration>[0]) => Duration({ ...options, maximum: LONGEST_TIMER });

/** Names that a service may have: they stand in URLs, labels and file names. */
export const SERVICE_NAME_PATTERN = '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$';
/** Ids that an entry of the plugin list may have: they stand in logs and metric labels. */
export const PLUGIN_ID_PATTERN = '^[a-z0-9][a-z0-9._-]{0,62}$';
/** Names that would shadow the gateway's own routes under `/api/v1/`. */
export const RESERVED_SERVICE_NAMES: readonly string[] = ['gateway', 'auth'];

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

/** An object whose keys are known to a plugin only. */
const FreeForm = (annotations: { default?: object; description?: string }) =>
  Type.Unsafe<Readonly<Record<string, unknown>>>(
    Type.Object({}, { additionalProperties: true, ...annotations }),
  );

const PluginOverrides = Type.Record(Type.String(), Type.Union([Type.Boolean(), FreeForm({})]), {
  default: {},
  description: 'Plugin id to `false` (off here), `true`, or options that override the entry’s own.',
});

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

const RouteSchema = Type.Object(
  {
    id: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$',
      description: 'Unique name of the route.',
    }),
    match: Type.Object(
      {
        path: Type.String({
          pattern: '^/',
          description: 'Path pattern: `/q/:symbol` for one segment, a final `/*` for the rest.',
        }),
        hosts: Type.Optional(
          Type.Array(Type.String({ minLength: 1 }), {
            minItems: 1,
            description: 'Hosts; `*.example.com` for one or more labels.',
          }),
        ),
        methods: Type.Optional(
          Type.Array(Type.String({ pattern: '^[A-Z][A-Z-]*$' }), {
            minItems: 1,
            description: 'Methods; GET takes HEAD along.',
          }),
        ),
        headers: Type.Optional(
          Type.Record(Type.String(), Type.String(), {
            description: 'Header fields and the exact value they must have.',
          }),
        ),
      },
      { ...closed, description: 'What a request must look like.' },
    ),
    service: Type.String({ description: 'Name of the service it leads to.' }),
    rewrite: Type.Optional(
      Type.String({
        pattern: '^/',
        description: 'Upstream path; `:name` and `*` stand for what was matched.',
      }),
    ),
    priority: Type.Integer({
      default: 0,
      minimum: -1000,
      maximum: 1000,
      description: 'Among the routes that match, the highest wins; then the most specific path.',
    }),
    retries: Type.Optional(RouteRetriesSchema),
    plugins: PluginOverrides,
  },
  { ...closed, description: 'A route of one’s own, beside the built-in ones.' },
);

const PluginEntrySchema = Type.Object(
  {
    use: Type.String({
      minLength: 1,
      description: 'Built-in name, npm package, or path relative to the configuration file.',
    }),
    id: Type.String({
      pattern: PLUGIN_ID_PATTERN,
      description: 'Unique; the plugin’s name by default.',
    }),
    enabled: Type.Boolean({ default: true, description: 'Off: the entry is checked, and not run.' }),
    options: FreeForm({ default: {}, description: 'Options of the plugin.' }),
  },
  { ...closed, description: 'A plugin in the list.' },
);

const SniSchema = Type.Object(
  {
    hosts: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Names; `*.example.com` for one label.',
    }),
    key: Type.String({ description: 'File with the key (PEM).' }),
    cert: Type.String({ description: 'File with the certificate chain (PEM).' }),
  },
  closed,
);

const ServerTlsSchema = Type.Object(
  {
    key: Type.String({ description: 'File with the key (PEM).' }),
    cert: Type.String({ description: 'File with the certificate chain (PEM).' }),
    sni: Type.Array(SniSchema, {
      default: [],
      description: 'Other certificates, by the name that the client asks for.',
    }),
    minVersion: Type.Enum(['TLSv1.2', 'TLSv1.3'], {
      default: 'TLSv1.2',
      description: 'Oldest TLS version to speak.',
    }),
    http2: Type.Boolean({ default: true, description: 'Offer HTTP/2 beside HTTP/1.1.' }),
  },
  { ...closed, description: 'TLS towards clients.' },
);

export const SettingsSchema = Type.Object(
  {
    host: Type.String({ default: '0.0.0.0', description: 'Address to listen on.' }),
    port: Port('TCP port to listen on; 0 for any free one.', 8080),
    tls: Type.Optional(ServerTlsSchema),
    admin: Type.Object(
      {
        token: Type.Optional(
          Type.String({
            minLength: 16,
            secret: true,
            description: 'Bearer token that admits remote administrators.',
          }),
        ),
        host: Type.String({ default: '127.0.0.1', description: 'Address of the separate admin listener.' }),
        port: Type.Optional(
          Port('TCP port of a separate admin listener; admin routes then answer only there.'),
        ),
      },
      { ...closed, default: {}, description: 'Administration.' },
    ),
    trustedProxies: Type.Array(Type.String({ format: 'cidr' }), {
      default: [],
      description: 'Addresses or CIDR ranges of proxies whose forwarding headers are believed.',
    }),
    via: Type.Optional(
      Type.String({
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        description: 'Pseudonym for the `Via` field; none is sent without it.',
      }),
    ),
    limits: Type.Object(
      {
        requestLine: Size({ default: '8kb', description: 'Longest request target; a longer one gets 414.' }),
        headers: Size({
          default: '16kb',
          description: 'Largest request head in all; a larger one gets 431.',
        }),
        headerFields: Type.Integer({
          minimum: 10,
          maximum: 10_000,
          default: 200,
          description: 'Most header fields of a request; more get 431.',
        }),
        body: Size({
          default: 0,
          description: 'Largest request body; a larger one gets 413. 0 for no limit.',
        }),
        connections: Type.Integer({
          minimum: 0,
          default: 0,
          description: 'Most client connections at a time. 0 for no limit.',
        }),
        headersTimeout: Timer({ default: '10s', description: 'For a request head to arrive.' }),
        bodyTimeout: Timer({
          default: '30s',
          description: 'Between two chunks of a request body; then 408.',
        }),
        bodyMinRate: Size({
          default: '256b',
          description:
            'Fewest bytes a second of a request body, after the first 10 s; slower gets 408. 0 for none.',
        }),
        keepAlive: Timer({ default: '65s', description: 'How long an idle client connection is kept.' }),
        encodedSlashes: Type.Enum(['reject', 'pass'], {
          default: 'reject',
          description: 'Whether `%2F` and `%5C` in a path are refused with 400 or forwarded as they are.',
        }),
      },
      { ...closed, default: {}, description: 'What a client may send.' },
    ),
    logging: Type.Object(
      {
        level: Type.Enum(['TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'], {
          default: 'INFO',
          description: 'Least severe level that is written.',
        }),
        pretty: Type.Optional(
          Type.Boolean({ description: 'Lines for people instead of JSON; on in a terminal.' }),
        ),
      },
      { ...closed, default: {}, description: 'Logs, on standard output.' },
    ),
    shutdown: Type.Object(
      {
        drainTimeout: Timer({ default: '30s', description: 'How long requests under way may take to end.' }),
        hookTimeout: Timer({ default: '10s', description: 'How long one plugin’s hook may take.' }),
      },
      { ...closed, default: {}, description: 'Stopping and reloading.' },
    ),
    dataDirectory: Type.String({
      default: '.gateway',
      description: 'Where what was created at run time is kept; relative to the working directory.',
    }),
    services: Type.Record(Type.String(), ServiceSchema, { default: {}, description: 'Services by name.' }),
    routes: Type.Array(RouteSchema, { default: [], description: 'Routes of one’s own.' }),
    plugins: Type.Array(PluginEntrySchema, {
      default: [],
      description: 'The plugins, in the order they run.',
    }),
  },
  closed,
);

/** A complete, validated configuration; durations in milliseconds, sizes in bytes. */
export type Settings = Static<typeof SettingsSchema>;
export type ServiceSettings = Static<typeof ServiceSchema>;
export type HealthSettings = Static<typeof HealthSchema>;
export type LoadBalancingSettings = Static<typeof LoadBalancingSchema>;
export type OutlierEjectionSettings = Static<typeof OutlierEjectionSchema>;
export type ConcurrencySettings = Static<typeof ConcurrencySchema>;
export type AdaptiveConcurrencySettings = Static<typeof AdaptiveConcurrencySchema>;
export type UpstreamTlsSettings = Static<typeof UpstreamTlsSchema>;
export type RouteSettings = Static<typeof RouteSchema>;
export type PluginEntry = Static<typeof PluginEntrySchema>;
export type ServerTlsSettings = Static<typeof ServerTlsSchema>;
