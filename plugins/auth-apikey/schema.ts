import { type Static, Type } from 'typebox';
import { Duration } from '../../core/index.js';
import { KEY_LENGTH } from './key-text.js';

const closed = { additionalProperties: false } as const;
const YEAR = 365 * 86_400_000;

/** Consumers stand in header fields and logs: visible ASCII. */
export const CONSUMER_PATTERN = '^[!-~]{1,128}$';
export const SERVICE_PATTERN = '^[a-z0-9._-]{1,64}$';
export const METHOD_PATTERN = '^[A-Z][A-Z-]{0,31}$';
const DATE_TIME_PATTERN =
  '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:Z|[+-]\\d{2}:\\d{2})$';

const RateLimitSchema = Type.Object(
  {
    requests: Type.Integer({ minimum: 1, maximum: 1e9, description: 'Requests in each window.' }),
    window: Duration({ minimum: 1, maximum: YEAR, description: 'Length of the window.' }),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1e9,
        description: 'Most requests at once; `requests` by default.',
      }),
    ),
  },
  { ...closed, description: 'A rate limit of its own, instead of the general one.' },
);

const grantFields = {
  consumer: Type.String({
    pattern: CONSUMER_PATTERN,
    description: 'Whose the key is; goes to the upstream as `X-Consumer-Id`.',
  }),
  name: Type.String({
    minLength: 1,
    maxLength: 100,
    pattern: '^[^\\u0000-\\u001f\\u007f]+$',
    description: 'What the key is for; for people.',
  }),
  services: Type.Optional(
    Type.Array(Type.String({ pattern: SERVICE_PATTERN }), {
      minItems: 1,
      maxItems: 1000,
      uniqueItems: true,
      description: 'The services that the key opens; all by default.',
    }),
  ),
  methods: Type.Optional(
    Type.Array(Type.String({ pattern: METHOD_PATTERN }), {
      minItems: 1,
      maxItems: 50,
      uniqueItems: true,
      description: 'The methods that the key may be used with; all by default. GET includes HEAD.',
    }),
  ),
  rateLimit: Type.Optional(RateLimitSchema),
};

const ConfiguredKeySchema = Type.Object(
  {
    id: Type.Optional(
      Type.String({
        pattern: '^(?!key_)[A-Za-z0-9._-]{1,64}$',
        description: 'Goes to the upstream as `X-Credential-Id`; made of consumer and name by default.',
      }),
    ),
    ...grantFields,
    hash: Type.Optional(
      Type.String({
        pattern: '^sha256:[0-9a-fA-F]{64}$',
        secret: true,
        description: 'SHA-256 of the key: `sha256:` and 64 hexadecimal digits.',
      }),
    ),
    key: Type.Optional(
      Type.String({
        minLength: KEY_LENGTH.minimum,
        maxLength: KEY_LENGTH.maximum,
        pattern: '^[!-~]+$',
        secret: true,
        description: 'The key itself, in place of `hash`; from an environment variable, not in the file.',
      }),
    ),
    expires: Type.Optional(
      Type.String({
        pattern: DATE_TIME_PATTERN,
        description: 'When the key stops to be valid, with time zone: `2030-01-31T00:00:00Z`.',
      }),
    ),
  },
  { ...closed, description: 'One key.' },
);

/** The options of the plugin. */
export const OptionsSchema = Type.Object({
  header: Type.String({
    default: 'x-api-key',
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
    description: 'Header field that holds the key.',
  }),
  query: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._~-]{1,64}$',
      description: 'Query parameter that may hold the key instead. It never reaches the upstream.',
    }),
  ),
  forward: Type.Boolean({
    default: false,
    description: 'Whether the upstream gets the header field with the key.',
  }),
  mode: Type.Enum(['any', 'all'], {
    default: 'any',
    description: 'Beside other authentication plugins: whether one of them must accept a request, or each.',
  }),
  optional: Type.Boolean({
    default: false,
    description: 'Whether requests without a key pass, as nobody’s. A wrong key is refused even so.',
  }),
  public: Type.Array(Type.String({ pattern: '^/(?:[^*?#]*/)?(?:\\*|[^*?#/]*)$' }), {
    default: [],
    description: 'Paths that need no key: `/path` for that path, `/path/*` for everything below it.',
  }),
  keys: Type.Array(ConfiguredKeySchema, {
    default: [],
    maxItems: 10_000,
    description: 'Keys, beside those made at run time.',
  }),
  store: Type.Enum(['file', 'memory'], {
    default: 'file',
    description: 'Where keys made at run time are kept: `api-keys.json` in the data directory, or nowhere.',
  }),
});

/** What creates a key. */
export const CreationSchema = Type.Object({
  ...grantFields,
  expiresAt: Type.Optional(Type.String({ pattern: DATE_TIME_PATTERN })),
  expiresIn: Type.Optional(Duration({ minimum: 1, maximum: 100 * YEAR, description: 'Time to live.' })),
});

/** What rotates a key. */
export const RotationSchema = Type.Object({
  overlap: Duration({ default: 0, maximum: YEAR, description: 'How long the key before stays valid.' }),
});

export type Options = Static<typeof OptionsSchema>;
export type ConfiguredKeyOptions = Static<typeof ConfiguredKeySchema>;
export type Creation = Static<typeof CreationSchema>;

/** Milliseconds since the epoch of a date and time with a zone (RFC 3339); undefined when there is no such time. */
export function parseDateTime(text: string): number | undefined {
  const time = Date.parse(text);
  // Date.parse takes the 31st of a short month for a day of the next one.
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  const isDate = new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  return isDate && time >= 0 ? Math.floor(time) : undefined;
}
