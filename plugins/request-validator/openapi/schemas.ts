import { pointerTo } from '../findings.js';
import { resolverOf } from '../schema-compiler.js';
import { mapSchema } from '../schema-walk.js';
import { isObject, type Resolver } from '../text-values.js';

export type OpenApiVersion = '3.0' | '3.1';

/** A document whose schemas are plain JSON Schemas. */
export interface Converted {
  readonly root: Readonly<Record<string, unknown>>;
  /** All its schemas. */
  readonly schemas: readonly { readonly node: Record<string, unknown>; readonly at: string }[];
  /** The formats that they name. */
  readonly formats: ReadonlySet<string>;
}

/** Parts that say nothing about requests. */
const IRRELEVANT = new Set([
  '$schema',
  '$self',
  'callbacks',
  'example',
  'examples',
  'headers',
  'info',
  'links',
  'responses',
  'tags',
  'webhooks',
]);
/** Keywords of OpenAPI that describe, and demand nothing of a request. */
const ANNOTATIONS = ['discriminator', 'example', 'externalDocs', 'nullable', 'xml'];

/**
 * Makes JSON Schemas, as Ajv knows them, out of the schemas of an OpenAPI document. Version 3.0 has a dialect of its
 * own (`nullable`, boolean `exclusiveMinimum`, nothing beside `$ref`); in both, a property that is `readOnly` is not
 * required of a request.
 */
export function withJsonSchemas(root: Readonly<Record<string, unknown>>, version: OpenApiVersion): Converted {
  const schemas: { node: Record<string, unknown>; at: string }[] = [];
  const formats = new Set<string>();
  const resolve = resolverOf(root);
  const convert = (schema: unknown, at: string): unknown => {
    const node = mapSchema(schema, at, (part) => {
      if (typeof part.format === 'string') formats.add(part.format);
      return toJsonSchema(part, version, resolve);
    });
    if (isObject(node)) schemas.push({ node, at });
    return node;
  };
  const walk = (node: unknown, at: string): unknown => {
    if (Array.isArray(node)) return node.map((child, position) => walk(child, pointerTo(at, position)));
    if (!isObject(node)) return node;
    const isNamed = NAMED.test(at);
    const copy: Record<string, unknown> = {};
    for (const [key, child] of Object.entries(node)) {
      if (!isNamed && (IRRELEVANT.has(key) || key.startsWith('x-'))) continue;
      const below = pointerTo(at, key);
      const isSchema = at === '#/components/schemas' || (!isNamed && key === 'schema');
      copy[key] = isSchema ? convert(child, below) : walk(child, below);
    }
    return copy;
  };
  const copy = walk(root, '#');
  return { root: isObject(copy) ? copy : {}, schemas, formats };
}

/** Places whose keys are names that the author chose. */
const NAMED = /^#\/(?:components\/[^/]+|paths|(?:.*\/)?content)$/;

function toJsonSchema(
  schema: Record<string, unknown>,
  version: OpenApiVersion,
  resolve: Resolver,
): Record<string, unknown> {
  if (version === '3.0' && typeof schema.$ref === 'string') return { $ref: schema.$ref };
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (!ANNOTATIONS.includes(key) && !key.startsWith('x-')) result[key] = value;
  }
  if (version === '3.0') fromVersion30(schema, result);
  const { properties, required } = result;
  if (isObject(properties) && Array.isArray(required)) {
    const needed = required.filter((name) => !isReadOnly(properties[String(name)], resolve));
    if (needed.length > 0) result.required = needed;
    else delete result.required;
  }
  return result;
}

function fromVersion30(schema: Readonly<Record<string, unknown>>, result: Record<string, unknown>): void {
  if (schema.nullable === true && typeof schema.type === 'string') result.type = [schema.type, 'null'];
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof schema[exclusive] !== 'boolean') continue;
    delete result[exclusive];
    if (schema[exclusive] && bound in schema) {
      result[exclusive] = schema[bound];
      delete result[bound];
    }
  }
}

function isReadOnly(schema: unknown, resolve: Resolver): boolean {
  if (!isObject(schema)) return false;
  if (schema.readOnly === true) return true;
  const target = typeof schema.$ref === 'string' ? resolve(schema.$ref) : undefined;
  return isObject(target) && target.readOnly === true;
}
