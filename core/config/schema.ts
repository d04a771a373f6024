import { type Static, Type } from 'typebox';
import { PluginEntrySchema, PluginOverrides } from './plugin-schema.js';
import { RouteRetriesSchema } from './retries-schema.js';
import { ServiceSchema } from './service-schema.js';
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
/** Names that would shadow the gateway's own routes under `/api/v1/`. */
export const RESERVED_SERVICE_NAMES: readonly string[] = ['gateway', 'auth'];

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
          Type.Array(Type.String({ format: 'host-pattern' }), {
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

const SniSchema = Type.Object(
  {
    hosts: Type.Array(Type.String({ format: 'host-pattern' }), {
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
export type RouteSettings = Static<typeof RouteSchema>;
export type ServerTlsSettings = Static<typeof ServerTlsSchema>;
