import { ServiceSchema } from '../config/service-schema.js';
import { ERRORS } from '../errors.js';

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>;

const Text = (description: string): Schema => ({ type: 'string', description });
const Count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const Time = (description: string): Schema => ({ type: 'string', format: 'date-time', description });
const MaybeTime = (description: string): Schema => ({
  type: ['string', 'null'],
  format: 'date-time',
  description,
});

/** An object with exactly these fields, all of them there. */
const Complete = (properties: Readonly<Record<string, Schema>>, description?: string): Schema => ({
  type: 'object',
  ...(description === undefined ? {} : { description }),
  required: Object.keys(properties),
  properties,
});

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const TargetState = Complete({
  url: Text('Origin of the target.'),
  weight: Count('Share of the traffic; 0 for none.'),
  priority: Count('Group of the target; a higher number is a backup.'),
  healthy: { type: 'boolean', description: 'Whether its health checks let it get requests.' },
  ejected: { type: 'boolean', description: 'Whether it is out for a while, as real requests to it failed.' },
  active: Count('Requests and upgraded connections under way.'),
  last_health_check: MaybeTime('When the last health check ended.'),
});

const ServiceState: Readonly<Record<string, Schema>> = {
  host: Text('Host of the first target.'),
  port: Count('Port of the first target.'),
  base_url: Text('Origin of the first target.'),
  healthy: { type: 'boolean', description: 'Whether any target takes requests.' },
  last_health_check: MaybeTime('When the last health check of a target ended.'),
  origin: {
    enum: ['configuration', 'default', 'runtime'],
    description: 'Where the service was declared. The configuration’s own can only be changed there.',
  },
  load_balancing: Text('How a target is picked.'),
  targets: { type: 'array', items: ref('Target') },
};

const Duration = (share: string): Schema => ({
  type: ['number', 'null'],
  minimum: 0,
  description: `Milliseconds that ${share} of the requests stayed below; null where there were none.`,
});

const LATENCY = Complete(
  { p50: Duration('half'), p90: Duration('90 %'), p95: Duration('95 %'), p99: Duration('99 %') },
  'Of the last five to ten minutes.',
);

const CIRCUIT_STATE: Schema = { enum: ['CLOSED', 'OPEN', 'HALF_OPEN'], description: 'State of the circuit.' };

/** What a request may declare of a service: one target by host and port, or a list of them. */
const Declaration: Readonly<Record<string, unknown>> = {
  host: Text('Host name or address of the one target; `localhost` by default.'),
  port: { type: 'integer', minimum: 1, maximum: 65535, description: 'TCP port of the one target.' },
  health_endpoint: Text('Path that is asked for by health checks; `/health` by default.'),
  ...withoutDefaulted(ServiceSchema.properties),
  targets: {
    type: 'array',
    minItems: 1,
    description: 'The servers, instead of `host` and `port`: URLs, or URLs with a weight.',
    items: {
      anyOf: [Text('Origin of the target.'), withoutDefaulted(ServiceSchema.properties.targets.items)],
    },
  },
};

/** The schemas that the descriptions refer to, by name. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Target: TargetState,
  Service: Complete(ServiceState),
  NamedService: Complete({ service_name: Text('Name of the service.'), ...ServiceState }),
  Services: Complete({
    services: { type: 'object', additionalProperties: ref('Service'), description: 'By name.' },
    total: Count('How many there are.'),
  }),
  Registration: {
    type: 'object',
    required: ['service_name'],
    properties: { service_name: Text('Name of the service, as it stands in URLs.'), ...Declaration },
    additionalProperties: false,
    examples: [{ service_name: 'my-service', host: 'localhost', port: 8090, health_endpoint: '/health' }],
  },
  Declaration: {
    type: 'object',
    properties: { service_name: Text('As in the path, or absent.'), ...Declaration },
    additionalProperties: false,
    examples: [{ targets: ['http://localhost:8090', { url: 'http://localhost:8091', weight: 2 }] }],
  },
  Status: Complete({
    service: { const: 'api-gateway' },
    version: Text('Version of the gateway.'),
    status: { enum: ['running', 'draining'], description: 'Whether it takes new requests.' },
    timestamp: Time('When this was written.'),
    uptime: Count('Seconds since the start.'),
    config: { type: 'object', description: 'What is on; plugins add to it.' },
    registered_services: Count('How many services there are.'),
    active_circuit_breakers: Count('Circuits that are not closed.'),
    cache_size: Count('Responses in the cache.'),
    generation: Count('How often the configuration was loaded.'),
  }),
  Stats: {
    type: 'object',
    description: 'Plugins add sections and counts of their own.',
    required: ['request_stats', 'circuit_breaker_stats', 'cache_stats', 'service_stats'],
    properties: {
      request_stats: Complete({
        total_requests: Count('Requests for services, those that matched no route among them.'),
        successful_requests: Count('Responses below 400 that were delivered in full.'),
        failed_requests: Count('All others.'),
        rate_limited_requests: Count('Requests that were over a rate limit.'),
        circuit_breaker_trips: Count('How often a circuit opened.'),
        cache_hits: Count('Responses from the cache.'),
        cache_misses: Count('Responses that the cache did not have.'),
        latency_ms: LATENCY,
      }),
      circuit_breaker_stats: { type: 'object', description: 'Circuits by service.' },
      cache_stats: Complete({
        size: Count('Responses in the cache.'),
        hit_rate: { type: 'number', description: 'Hits among all look-ups, 0 to 1.' },
      }),
      service_stats: {
        type: 'object',
        description: 'The same by service.',
        additionalProperties: Complete({
          total_requests: Count('Requests for the service.'),
          successful_requests: Count('Responses below 400 that were delivered in full.'),
          failed_requests: Count('All others.'),
          latency_ms: LATENCY,
        }),
      },
    },
  },
  Circuit: Complete({
    service: Text('Name of the service.'),
    target: { type: ['string', 'null'], description: 'Origin of the target; null for the whole service.' },
    state: CIRCUIT_STATE,
    held: { type: 'boolean', description: 'Whether an administrator holds it in its state.' },
    failure_count: Count('Failures since the last success.'),
    last_failure_time: MaybeTime('When a request last failed.'),
    probes: Count('Probes under way.'),
    retry_after: {
      type: ['integer', 'null'],
      minimum: 0,
      description: 'Seconds that refused requests are told to wait; null where none is refused.',
    },
  }),
  Circuits: Complete({
    circuits: { type: 'array', items: ref('Circuit') },
    total: Count('How many there are.'),
  }),
  ServiceCircuits: Complete({
    service_name: Text('Name of the service.'),
    state: { ...CIRCUIT_STATE, description: 'The worst of its circuits.' },
    failure_count: Count('The most of its circuits.'),
    last_failure_time: MaybeTime('The latest of its circuits.'),
    circuits: { type: 'array', items: ref('Circuit') },
  }),
  Cache: Complete({
    size: Count('Responses that are stored.'),
    bytes: Count('Bytes that they take.'),
    hits: Count('Responses from the cache.'),
    misses: Count('Responses that the cache did not have.'),
    hit_rate: { type: 'number', description: 'Hits among hits and misses, 0 to 1.' },
    outcomes: {
      type: 'object',
      additionalProperties: { type: 'integer' },
      description: 'Requests by X-Cache-Status.',
    },
    stored: Count('Responses that were stored.'),
    evictions: Count('Responses that had to go for others.'),
    purged: Count('Responses that were purged or invalidated.'),
    collapsed: Count('Requests that were answered with the response to another.'),
    refresh_failures: Count('Stale responses that could not be refreshed in the background.'),
  }),
  CacheEntries: Complete({
    key: Text('The key of the URL.'),
    entries: {
      type: 'array',
      items: Complete({
        status: Count('Status of the response.'),
        service: Text('Name of the service.'),
        body_bytes: Count('Bytes of the body.'),
        bytes: Count('Bytes that it takes in all.'),
        age: Count('Seconds since the upstream made it.'),
        ttl: { type: 'integer', description: 'Seconds that it stays fresh; negative once it is stale.' },
        fresh: { type: 'boolean', description: 'Whether it is served without asking.' },
        public: { type: 'boolean', description: 'Whether every consumer may have it.' },
        vary: { type: 'array', items: { type: 'string' }, description: 'Request fields that select it.' },
        etag: { type: ['string', 'null'], description: 'Its entity tag.' },
        last_modified: { type: ['string', 'null'], description: 'When it was last modified.' },
        tags: { type: 'array', items: { type: 'string' }, description: 'Tags that it can be purged by.' },
      }),
    },
    total: Count('How many there are.'),
  }),
  Purge: {
    type: 'object',
    minProperties: 1,
    maxProperties: 1,
    properties: {
      url: Text('One URL, with the name of the service for a host.'),
      prefix: Text('What the URLs begin with.'),
      service: Text('Name of a service.'),
      tag: Text('A tag of Surrogate-Key or Cache-Tag.'),
      all: { const: true, description: 'Everything.' },
    },
    additionalProperties: false,
    examples: [{ tag: 'product-42' }],
  },
  Purged: Complete({ purged: Count('Responses that were removed.') }),
  WebSocket: Complete({
    id: Text('Unique as long as the process lives.'),
    request_id: Text('Of the request that it began with.'),
    service: Text('Name of the service.'),
    route: Text('Id of the route.'),
    mode: { enum: ['managed', 'tunnel'], description: 'Whether messages or bytes are relayed.' },
    path: Text('Path that the client asked for.'),
    client: Text('Address of the client.'),
    consumer: { type: ['string', 'null'], description: 'Who opened it, where that is known.' },
    target: Text('Origin of the target; of the latest, while it is connected again.'),
    protocol: { type: ['string', 'null'], description: 'The subprotocol; not known of tunnels.' },
    opened_at: Time('When it was opened.'),
    messages_in: { type: ['integer', 'null'], description: 'Messages of the client; not known of tunnels.' },
    messages_out: { type: ['integer', 'null'], description: 'Messages to the client; not known of tunnels.' },
    bytes_in: Count('Payload of the client; of tunnels all bytes.'),
    bytes_out: Count('Payload to the client; of tunnels all bytes.'),
    reconnects: Count('How often it was connected to a target again.'),
  }),
  WebSockets: Complete({
    connections: { type: 'array', items: ref('WebSocket') },
    total: Count('How many there are, those that are not listed among them.'),
    limit: Count('The most that are listed.'),
    offset: Count('How many were left out.'),
    by_service: {
      type: 'object',
      additionalProperties: { type: 'integer' },
      description: 'How many there are, by service.',
    },
  }),
  ClosedWebSockets: Complete({ closed: Count('How many.') }),
  Routes: Complete({
    routes: {
      type: 'array',
      items: Complete({
        id: Text('Unique name of the route.'),
        pattern: Text('Path pattern.'),
        methods: { type: ['array', 'null'], items: { type: 'string' }, description: 'Null for all.' },
        service: Text('Name of the service that it leads to.'),
        plugins: { type: 'array', items: { type: 'string' }, description: 'Ids, in the order they run.' },
      }),
    },
    total: Count('How many there are.'),
  }),
  Plugins: Complete({
    plugins: {
      type: 'array',
      description: 'In the order they run.',
      items: Complete({
        id: Text('Id of the entry in the list.'),
        name: Text('Name of the plugin.'),
        use: Text('Where it comes from, as configured.'),
        version: Text('Version of the plugin.'),
        summary: Text('What it does.'),
        options: { type: 'object', description: 'In effect, with secrets masked.' },
      }),
    },
    total: Count('How many there are.'),
  }),
  Health: Complete({
    status: { enum: ['healthy', 'draining'], description: 'Whether the gateway takes requests.' },
    service: { const: 'api-gateway' },
    timestamp: Time('When this was written.'),
    services: Complete({ healthy: Count('Services that take requests.'), total: Count('All services.') }),
  }),
  Liveness: Complete({ status: { const: 'alive' } }),
  Readiness: Complete({ status: { enum: ['ready', 'draining'] } }),
  Error: {
    type: 'object',
    required: ['error', 'code', 'timestamp', 'request_id'],
    properties: {
      error: Text('What went wrong.'),
      code: { enum: Object.keys(ERRORS), description: 'Row of the error table.' },
      timestamp: Time('When it went wrong.'),
      request_id: Text('Also in the log, and in `X-Request-Id`.'),
      details: { type: 'array', items: {}, description: 'All faults that were found.' },
    },
  },
  Problem: {
    type: 'object',
    description: 'Problem details (RFC 9457), for those who ask for them by `Accept`.',
    required: ['type', 'title', 'status', 'detail', 'code', 'timestamp', 'request_id'],
    properties: {
      type: { type: 'string', format: 'uri-reference', description: '`about:blank`.' },
      title: Text('The reason phrase of the status.'),
      status: { type: 'integer', minimum: 400, maximum: 599, description: 'The status.' },
      detail: Text('What went wrong.'),
      code: { enum: Object.keys(ERRORS), description: 'Row of the error table.' },
      timestamp: Time('When it went wrong.'),
      request_id: Text('Also in the log, and in `X-Request-Id`.'),
      details: { type: 'array', items: {}, description: 'All faults that were found.' },
    },
  },
};

/** A copy of a schema of settings, as it is for whoever writes them: what has a default need not be given. */
function withoutDefaulted<Value>(schema: Value): Value;
function withoutDefaulted(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map((item: unknown) => withoutDefaulted(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    // Keywords of the gateway's own validation mean nothing to others.
    if (!key.startsWith('gateway')) copy[key] = withoutDefaulted(value);
  }
  const { required, properties } = copy;
  if (Array.isArray(required) && typeof properties === 'object' && properties !== null) {
    copy.required = required.filter((name: unknown) => !hasDefault(Reflect.get(properties, String(name))));
  }
  return copy;
}

function hasDefault(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'default' in schema;
}
