import { type Static, Type } from 'typebox';

/** The top-level key of the requirements' own configuration file. */
export const REQUIREMENTS_KEY = 'api-gateway-service';

const closed = { additionalProperties: false } as const;
const ALGORITHMS = ['HS', 'RS', 'PS', 'ES'].flatMap((family) => [
  `${family}256`,
  `${family}384`,
  `${family}512`,
]);

/** The flat keys of the requirements, with the requirements' defaults; and `users_file`, without which nobody could log in. */
export const FlatSchema = Type.Object(
  {
    port: Type.Integer({ minimum: 0, maximum: 65535, default: 8080 }),
    enable_auth: Type.Boolean({ default: false }),
    jwt_secret: Type.Optional(Type.String({ minLength: 1, secret: true })),
    jwt_algorithm: Type.Enum(ALGORITHMS, { default: 'HS256' }),
    users_file: Type.Optional(Type.String({ minLength: 1 })),
    enable_rate_limiting: Type.Boolean({ default: true }),
    rate_limit_requests: Type.Integer({ minimum: 1, default: 100 }),
    rate_limit_window: Type.Integer({ minimum: 1, maximum: 2_147_483, default: 60 }),
    enable_circuit_breaker: Type.Boolean({ default: true }),
    cache_ttl: Type.Integer({ minimum: 0, maximum: 2_147_483, default: 300 }),
    log_level: Type.Enum(['TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'], { default: 'INFO' }),
    services: Type.Optional(Type.Unknown()),
  },
  closed,
);

/** The flat keys with their values in effect. */
export type FlatSettings = Static<typeof FlatSchema>;

/** The environment variable of each flat key that has one; it wins over the file. */
export const VARIABLES: readonly (readonly [string, keyof FlatSettings])[] = [
  ['PORT', 'port'],
  ['ENABLE_AUTH', 'enable_auth'],
  ['JWT_SECRET', 'jwt_secret'],
  ['JWT_ALGORITHM', 'jwt_algorithm'],
  ['USERS_FILE', 'users_file'],
  ['ENABLE_RATE_LIMITING', 'enable_rate_limiting'],
  ['RATE_LIMIT_REQUESTS', 'rate_limit_requests'],
  ['RATE_LIMIT_WINDOW', 'rate_limit_window'],
  ['ENABLE_CIRCUIT_BREAKER', 'enable_circuit_breaker'],
  ['CACHE_TTL', 'cache_ttl'],
  ['LOG_LEVEL', 'log_level'],
];

/** The services that the requirements register when none are named. */
export const DEFAULT_SERVICES = {
  'market-data-collector': { host: 'localhost', port: 8081 },
  'data-storage-service': { host: 'localhost', port: 8082 },
  'monitoring-service': { host: 'localhost', port: 8083 },
  'scheduler-service': { host: 'localhost', port: 8084 },
  'message-broker-service': { host: 'localhost', port: 8085 },
} as const;
