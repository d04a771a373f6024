import { type Static, Type } from 'typebox';
import { Size } from '../../core/index.js';

const closed = { additionalProperties: false } as const;

const JsonSchema = (description: string) =>
  Type.Optional(
    Type.Unsafe<Readonly<Record<string, unknown>>>(
      Type.Object({}, { additionalProperties: true, description }),
    ),
  );

const schemaFields = {
  body: JsonSchema('JSON Schema of the body.'),
  query: JsonSchema('JSON Schema of an object of the query parameters by name.'),
  params: JsonSchema('JSON Schema of an object of the path parameters by name.'),
  headers: JsonSchema('JSON Schema of an object of the header fields by name.'),
};

const RejectOrPass = (description: string) =>
  Type.Enum(['reject', 'pass'], { default: 'reject', description });

const RuleSchema = Type.Object(
  {
    methods: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Z][A-Z-]*$' }), {
        minItems: 1,
        description: 'Methods that it is for; GET takes HEAD along. All by default.',
      }),
    ),
    path: Type.Optional(
      Type.String({
        pattern: '^/',
        description:
          'Path that it is for, as the client sends it: `/api/v1/shop/orders/:id`, a final `/*` for the rest. All by default.',
      }),
    ),
    ...schemaFields,
  },
  { ...closed, description: 'Schemas for some requests.' },
);

const OpenApiSchema = Type.Object(
  {
    file: Type.String({
      minLength: 1,
      description:
        'File with the OpenAPI 3.0 or 3.1 document (JSON or YAML), relative to the configuration file.',
    }),
    basePath: Type.Optional(
      Type.String({
        pattern: '^/',
        description:
          'What stands before the paths of the document in the upstream path. By default the path of its first server.',
      }),
    ),
    undocumented: Type.Object(
      {
        paths: RejectOrPass('Paths that the document does not have: refused with 404.'),
        methods: RejectOrPass('Methods that a path does not have: refused with 405.'),
        parameters: RejectOrPass('Query parameters that an operation does not have: refused with 400.'),
        bodies: RejectOrPass('Bodies for operations that have none: refused with 400.'),
      },
      {
        ...closed,
        default: {},
        description: 'What becomes of requests that the document does not describe.',
      },
    ),
  },
  { ...closed, description: 'Checks requests against an OpenAPI document.' },
);

const SanitiseSchema = Type.Object(
  {
    trim: Type.Boolean({ default: false, description: 'Cut white space off both ends of texts.' }),
    removeAdditional: Type.Boolean({
      default: false,
      description: 'Remove properties that `additionalProperties: false` would refuse.',
    }),
    defaults: Type.Boolean({ default: false, description: 'Put the defaults of the schema in.' }),
    coerceTypes: Type.Boolean({
      default: false,
      description: 'Turn values into the type that the schema wants: "5" into 5.',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'Changes to JSON bodies; with any of them the body is written anew.',
  },
);

export const OptionsSchema = Type.Object({
  contentTypes: Type.Optional(
    Type.Array(Type.String({ pattern: '^[!#$&^_.+A-Za-z0-9-]+/[*!#$&^_.+A-Za-z0-9-]+$|^\\*/\\*$' }), {
      minItems: 1,
      description:
        'Content types that a body may have, such as `application/json`, `application/*+json`, `text/*`; others get 415. By default any, but where a body schema applies only JSON.',
    }),
  ),
  compressed: Type.Enum(['reject', 'decode'], {
    default: 'reject',
    description:
      'Compressed bodies (gzip, deflate, br) that have to be looked into: refused with 415, or decompressed for it.',
  }),
  maxBody: Size({
    default: '1mb',
    description: 'Largest body, also when decompressed; a larger one gets 413.',
  }),
  maxDepth: Type.Integer({
    minimum: 1,
    maximum: 512,
    default: 32,
    description: 'How deep objects and lists may be nested in JSON.',
  }),
  duplicateKeys: Type.Enum(['reject', 'allow'], {
    default: 'reject',
    description: 'JSON objects that have a key twice, of which readers take one or the other.',
  }),
  prototypeKeys: Type.Enum(['reject', 'strip'], {
    default: 'reject',
    description:
      'The keys `__proto__` and `constructor.prototype`, in JSON and in names of query parameters: refused, or taken out.',
  }),
  schemas: Type.Object(schemaFields, {
    ...closed,
    default: {},
    description: 'JSON Schemas for every request.',
  }),
  rules: Type.Array(RuleSchema, {
    default: [],
    description: 'JSON Schemas for some requests; all rules that match apply.',
  }),
  openapi: Type.Optional(OpenApiSchema),
  sanitise: SanitiseSchema,
});

export type RequestValidatorOptions = Static<typeof OptionsSchema>;
export type RuleOptions = Static<typeof RuleSchema>;
export type OpenApiOptions = Static<typeof OpenApiSchema>;
export type SanitiseOptions = Static<typeof SanitiseSchema>;
