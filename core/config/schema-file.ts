import type { TObject } from 'typebox';
import { isRecord, recordOf } from './paths.js';
import { SettingsSchema } from './schema.js';

/** A JSON Schema, or a part of one. */
type Schema = Record<string, unknown>;

/** What the editor schema needs to know of a plugin. */
export interface DocumentedPlugin {
  readonly name: string;
  readonly summary: string;
  readonly options: TObject;
}

const REFERENCE_TEXT: Schema = { type: 'string', pattern: '\\$\\{' };

/**
 * The JSON Schema (draft-07) of what users write in `.gatewayrc`, for completion and checks in editors: with the
 * short forms, and the options of each plugin. A help while writing: what is valid is decided by the gateway, which
 * checks more.
 */
export function configurationSchema(plugins: readonly DocumentedPlugin[]): Schema {
  const written = recordOf(writable(SettingsSchema));
  const properties = recordOf(written.properties);
  const [service] = Object.values(recordOf(recordOf(properties.services).patternProperties));
  const definitions = Object.fromEntries(
    plugins.map(({ name, summary, options }) => [
      `plugin:${name}`,
      // Nothing is required, because the same options are also written as overrides.
      { additionalProperties: false, ...recordOf(writable(options)), required: [], description: summary },
    ]),
  );
  const overrides = overridesSchema(plugins);
  const route = recordOf(recordOf(properties.routes).items);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of the API gateway',
    ...written,
    properties: {
      $schema: { type: 'string' },
      ...properties,
      services: {
        ...withoutKeys(recordOf(properties.services), ['patternProperties']),
        additionalProperties: { $ref: '#/definitions/service' },
      },
      routes: {
        ...recordOf(properties.routes),
        items: {
          ...route,
          properties: {
            ...recordOf(route.properties),
            retries: orSwitch(recordOf(recordOf(route.properties).retries)),
            plugins: overrides,
          },
        },
      },
      plugins: { ...recordOf(properties.plugins), items: pluginEntrySchema(plugins) },
    },
    definitions: { ...definitions, service: serviceSchema(recordOf(service), overrides) },
  };
}

function serviceSchema(service: Schema, overrides: Schema): Schema {
  const own = recordOf(service.properties);
  const health = recordOf(own.health);
  const status = recordOf(recordOf(health.properties).status);
  const oneStatus = { anyOf: [{ type: 'string' }, { type: 'integer', minimum: 100, maximum: 599 }] };
  const statuses = { ...status, type: undefined, items: undefined, minItems: undefined };
  const properties: Schema = {
    ...own,
    targets: {
      ...recordOf(own.targets),
      items: { anyOf: [{ type: 'string' }, recordOf(own.targets).items] },
    },
    health: {
      description: health.description,
      anyOf: [
        { type: 'boolean' },
        REFERENCE_TEXT,
        {
          ...health,
          properties: {
            ...recordOf(health.properties),
            status: withoutUndefined({
              ...statuses,
              anyOf: [...oneStatus.anyOf, { type: 'array', items: oneStatus, minItems: 1 }],
            }),
          },
        },
      ],
    },
    retries: orSwitch(recordOf(own.retries)),
    plugins: overrides,
    host: { type: 'string', description: 'Host of the only target.' },
    port: {
      anyOf: [{ type: 'integer', minimum: 1, maximum: 65535 }, REFERENCE_TEXT],
      description: 'TCP port of the only target.',
    },
    health_endpoint: {
      type: 'string',
      pattern: '^(?:/|.*\\$\\{)',
      description: 'Short for `health: { path: … }`.',
    },
  };
  return {
    description: service.description,
    anyOf: [
      { type: 'string', description: 'URL of the only target.' },
      {
        type: 'object',
        properties,
        additionalProperties: false,
        anyOf: [{ required: ['targets'] }, { required: ['port'] }],
      },
    ],
  };
}

/** A section that `true` and `false` are short forms of. */
function orSwitch(section: Schema): Schema {
  return { description: section.description, anyOf: [{ type: 'boolean' }, REFERENCE_TEXT, section] };
}

function overridesSchema(plugins: readonly DocumentedPlugin[]): Schema {
  return {
    type: 'object',
    description: 'Plugin id to `false` (off here), `true`, or options that override the entry’s own.',
    properties: Object.fromEntries(
      plugins.map(({ name }) => [
        name,
        { anyOf: [{ type: 'boolean' }, { $ref: `#/definitions/plugin:${name}` }] },
      ]),
    ),
    additionalProperties: { anyOf: [{ type: 'boolean' }, { type: 'object' }] },
  };
}

function pluginEntrySchema(plugins: readonly DocumentedPlugin[]): Schema {
  const names = plugins.map(({ name, summary }) => ({ const: name, description: summary }));
  const shortForm = {
    type: 'object',
    properties: Object.fromEntries(
      plugins.map(({ name, summary }) => [
        name,
        {
          description: summary,
          anyOf: [{ type: ['boolean', 'null'] }, { $ref: `#/definitions/plugin:${name}` }],
        },
      ]),
    ),
    additionalProperties: { type: ['boolean', 'null', 'object', 'string'] },
    not: { required: ['use'] },
    minProperties: 1,
    maxProperties: 1,
  };
  const fullForm = {
    type: 'object',
    properties: {
      use: { anyOf: [...names, { type: 'string' }], description: 'Built-in name, npm package, or path.' },
      id: { type: 'string', description: 'Unique; the plugin’s name by default.' },
      enabled: { anyOf: [{ type: 'boolean' }, REFERENCE_TEXT], default: true },
      options: { type: 'object' },
    },
    required: ['use'],
    additionalProperties: false,
    ...(plugins.length === 0 ? {} : { allOf: plugins.map(optionsByName) }),
  };
  return { anyOf: [...names, { type: 'string' }, shortForm, fullForm] };
}

/** In the full form of an entry, the options that go with its plugin. */
function optionsByName({ name }: DocumentedPlugin): Schema {
  return {
    if: { properties: { use: { const: name } }, required: ['use'] },
    // biome-ignore lint/suspicious/noThenProperty: `then` is a keyword of JSON Schema
    then: { properties: { options: { $ref: `#/definitions/plugin:${name}` } } },
  };
}

/**
 * A schema of the gateway as one of what may be written: keywords and formats of its own replaced, nothing required
 * that has a default, and `${VAR}` allowed wherever a scalar stands.
 */
function writable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writable);
  if (!isRecord(value)) return value;
  const schema = withoutKeys(value, ['gatewayDuration', 'gatewaySize', 'secret', 'format']);
  if (isRecord(schema.properties)) {
    const properties = schema.properties;
    schema.properties = mapValues(properties, writable);
    const required = Array.isArray(schema.required) ? schema.required : [];
    schema.required = required.filter((key) => !('default' in recordOf(properties[String(key)])));
  }
  if (isRecord(schema.patternProperties))
    schema.patternProperties = mapValues(schema.patternProperties, writable);
  for (const keyword of ['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf']) {
    if (keyword in schema) schema[keyword] = writable(schema[keyword]);
  }
  return takesText(schema) ? schema : orReference(schema);
}

/** Whether `${VAR}` passes a schema as it is. */
function takesText(schema: Schema): boolean {
  if (schema.type === 'object' || schema.type === 'array' || 'anyOf' in schema || 'oneOf' in schema)
    return true;
  const isRestricted = ['pattern', 'enum', 'const', 'minLength', 'maxLength'].some(
    (keyword) => keyword in schema,
  );
  return !isRestricted && [schema.type].flat().some((type) => type === 'string' || type === undefined);
}

function orReference(schema: Schema): Schema {
  const { description, default: fallback, ...rest } = schema;
  return withoutUndefined({ description, default: fallback, anyOf: [rest, REFERENCE_TEXT] });
}

function mapValues(record: Schema, change: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function withoutKeys(record: Schema, keys: readonly string[]): Schema {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}

function withoutUndefined(record: Schema): Schema {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
