import { pointerTo } from './findings.js';
import { isObject } from './text-values.js';

/** Keywords whose value is a schema, a list of schemas, or an object of schemas. */
const SINGLE = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
];
const LISTS = ['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'];
const MAPS = ['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'];

/**
 * Makes a copy of a schema in which every schema, the innermost first, has been through `change`.
 *
 * @param pointer JSON pointer of the schema, for `change` to say where it is
 */
export function mapSchema(
  schema: unknown,
  pointer: string,
  change: (schema: Record<string, unknown>, pointer: string) => Record<string, unknown>,
): unknown {
  if (!isObject(schema)) return schema;
  const copy: Record<string, unknown> = { ...schema };
  for (const key of SINGLE) {
    if (isObject(copy[key])) copy[key] = mapSchema(copy[key], pointerTo(pointer, key), change);
  }
  for (const key of LISTS) {
    const list = copy[key];
    if (!Array.isArray(list)) continue;
    const at = pointerTo(pointer, key);
    copy[key] = list.map((child, position) => mapSchema(child, pointerTo(at, position), change));
  }
  for (const key of MAPS) {
    const map = copy[key];
    if (!isObject(map)) continue;
    const at = pointerTo(pointer, key);
    copy[key] = Object.fromEntries(
      Object.entries(map).map(([name, child]) => [name, mapSchema(child, pointerTo(at, name), change)]),
    );
  }
  return change(copy, pointer);
}
