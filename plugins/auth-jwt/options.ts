import { type Static, Type } from 'typebox';
import { Duration } from '../../core/index.js';
import { ALGORITHMS } from './keys/algorithms.js';

const closed = { additionalProperties: false } as const;
const LONGEST_TIMER = 2 ** 31 - 1;

const Texts = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { default: [], description });

const Algorithms = (description: string) =>
  Type.Optional(Type.Array(Type.Enum([...ALGORITHMS]), { minItems: 1, uniqueItems: true, description }));

/** A user who may log in. */
export const UserSchema = Type.Object(
  {
    username: Type.String({ minLength: 1, maxLength: 255, description: 'Unique; the `sub` of the tokens.' }),
    passwordHash: Type.String({ secret: true, description: 'What `gateway hash-password` printed.' }),
    scopes: Texts('The `scope` of the tokens.'),
    roles: Texts('The `roles` of the tokens.'),
  },
  { ...closed, description: 'A user who may log in.' },
);

const PublicKeySchema = Type.Object(
  {
    kid: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: 'The `kid` of the tokens that it verifies.' }),
    ),
    key: Type.String({ minLength: 1, description: 'PEM text, or the file with it.' }),
    algorithms: Algorithms('The algorithms of this key; those of `algorithms` that go with it by default.'),
  },
  { ...closed, description: 'A public key.' },
);

const JwksSchema = Type.Object(
  {
    url: Type.String({ format: 'uri', description: 'Where the key set (RFC 7517) is.' }),
    algorithms: Type.Array(Type.Enum(ALGORITHMS.filter((name) => !name.startsWith('HS'))), {
      minItems: 1,
      uniqueItems: true,
      default: ['RS256', 'PS256', 'ES256'],
      description: 'The algorithms that keys of the set may have.',
    }),
    ttl: Duration({ default: '10m', minimum: 1000, description: 'Age at which the keys are fetched again.' }),
    cooldown: Duration({
      default: '30s',
      minimum: 1000,
      description: 'Least time between two fetches that unknown `kid`s cause, and after a failure.',
    }),
    timeout: Duration({
      default: '5s',
      minimum: 1,
      maximum: LONGEST_TIMER,
      description: 'Time limit of a fetch.',
    }),
    allowInsecure: Type.Boolean({
      default: false,
      description: 'Fetch over http from another machine. Whoever is on the way can then replace the keys.',
    }),
  },
  { ...closed, description: 'A JWKS URL.' },
);

const RuleSchema = Type.Object(
  {
    services: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Services; all by default.' }),
    ),
    routes: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Route ids; all by default.' }),
    ),
    methods: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Z][A-Z-]*$' }), {
        minItems: 1,
        description: 'Methods; GET takes HEAD along; all by default.',
      }),
    ),
    scopes: Texts('Scopes that the token must have, all of them.'),
    roles: Texts('Roles of which the token must have one.'),
  },
  { ...closed, description: 'What a token must grant. Every rule that applies to a request has to be met.' },
);

const ThrottleSchema = Type.Object(
  {
    perUser: Type.Integer({
      minimum: 1,
      default: 5,
      description: 'Failed logins of one user in the window.',
    }),
    perAddress: Type.Integer({
      minimum: 1,
      default: 20,
      description: 'Failed logins from one address (IPv6: one /64) in the window.',
    }),
    window: Duration({ default: '5m', minimum: 1000, description: 'Time from the first failure on.' }),
  },
  { ...closed, default: {}, description: 'When logins are answered with 429.' },
);

/** The options of auth-jwt. */
export const OptionsSchema = Type.Object({
  secret: Type.Optional(
    Type.String({
      minLength: 1,
      secret: true,
      description:
        'Shared secret of HS* tokens, at least 32 bytes; also signs the tokens of `/api/v1/auth/login`.',
    }),
  ),
  publicKey: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Public key of RS*, PS* or ES* tokens: PEM text, or the file with it.',
    }),
  ),
  publicKeys: Type.Array(PublicKeySchema, {
    default: [],
    description: 'Several public keys, told apart by `kid`.',
  }),
  jwks: Type.Array(JwksSchema, { default: [], description: 'Key servers.' }),
  algorithms: Algorithms(
    'Algorithms of `secret` (HS256 by default) and of the public keys (RS256 or ES* by default). A token never chooses.',
  ),
  allowWeakSecret: Type.Boolean({
    default: false,
    description: 'Accept a `secret` that is short or a placeholder. Only for development.',
  }),
  issuer: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Accepted values of `iss`.' }),
  ),
  audience: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Accepted values of `aud`; one is enough.',
    }),
  ),
  clockSkew: Duration({
    default: 0,
    maximum: 300_000,
    description: 'By how much the clocks of issuers may differ; for `exp`, `nbf` and `iat`.',
  }),
  requiredClaims: Type.Array(Type.String({ minLength: 1 }), {
    default: ['exp'],
    description: 'Claims that must be there. `sub` must always be.',
  }),
  scopesClaim: Type.String({
    minLength: 1,
    default: 'scope',
    description: 'Claim with the scopes, a list or one text with spaces; a dot leads into objects.',
  }),
  rolesClaim: Type.String({
    minLength: 1,
    default: 'roles',
    description: 'Claim with the roles, like `scopesClaim`: `realm_access.roles`.',
  }),
  rules: Type.Array(RuleSchema, { default: [], description: 'Scopes and roles that requests need.' }),
  cookie: Type.Optional(
    Type.String({
      pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
      description: 'Cookie that may hold the token too. It is not forwarded.',
    }),
  ),
  query: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._~-]+$',
      description: 'Query parameter that may hold the token too. It is not forwarded.',
    }),
  ),
  subprotocol: Type.Optional(
    Type.String({
      pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
      description:
        'What the `Sec-WebSocket-Protocol` entry with the token begins with, `bearer.` for example. It is not forwarded.',
    }),
  ),
  mode: Type.Enum(['any', 'all'], {
    default: 'any',
    description: 'Beside other authentication plugins: whether one of them is enough, or each must accept.',
  }),
  optional: Type.Boolean({
    default: false,
    description: 'Let requests without a token pass, anonymously. A bad token is refused all the same.',
  }),
  public: Type.Array(Type.String({ pattern: '^/' }), {
    default: [],
    description: 'Paths that need no token: `/api/v1/demo/health`, or with a final `/*` everything below.',
  }),
  realm: Type.String({
    pattern: '^[A-Za-z0-9 ._~:/-]{1,64}$',
    default: 'gateway',
    description: 'The `realm` of the challenge.',
  }),
  cache: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    default: 10_000,
    description: 'Most verified tokens to remember until they expire; 0 for none.',
  }),
  users: Type.Array(UserSchema, { default: [], description: 'Users who may log in.' }),
  usersFile: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'YAML or JSON file with further `users`, relative to the configuration file.',
    }),
  ),
  accessTokenTtl: Duration({
    default: '1h',
    minimum: 1000,
    description: 'Life of an access token from a login.',
  }),
  refreshTokenTtl: Duration({
    default: '7d',
    minimum: 1000,
    description: 'Time after which a user must log in again, however often the tokens were refreshed.',
  }),
  loginThrottle: ThrottleSchema,
});

/** The options of auth-jwt, validated. */
export type AuthJwtOptions = Static<typeof OptionsSchema>;
/** A rule of the options. */
export type AccessRule = Static<typeof RuleSchema>;
/** A user of the options. */
export type UserDeclaration = Static<typeof UserSchema>;
