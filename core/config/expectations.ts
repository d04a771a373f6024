import { isRecord } from './paths.js';
import { DURATION_FORM, formatDuration, SIZE_FORM } from './units.js';

/** What a schema wants, as the end of the sentence "expected …". */
export function describeSchema(schema: unknown): string {
  if (!isRecord(schema)) return 'another value';
  if (schema.gatewayDuration !== undefined) return DURATION_FORM + durationBounds(schema.gatewayDuration);
  if (schema.gatewaySize !== undefined) return SIZE_FORM;
  if (Array.isArray(schema.enum)) return oneOf(schema.enum.map((value) => JSON.stringify(value)));
  if ('const' in schema) return JSON.stringify(schema.const);
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) return [...new Set(branches.map(describeSchema))].join(', or ');
  switch (schema.type) {
    case 'integer':
      return `an integer${bounds(schema)}`;
    case 'number':
      return `a number${bounds(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return describeString(schema);
    case 'array':
      return describeList(schema);
    case 'object':
      return describeObject(schema);
    case 'null':
      return 'null';
    default:
      return Array.isArray(schema.type) ? oneOf(schema.type.map(String)) : 'another value';
  }
}

/** `a`, `a or b`, `one of a, b, c`. */
export function oneOf(choices: readonly string[]): string {
  return choices.length <= 2 ? choices.join(' or ') : `one of ${choices.join(', ')}`;
}

function describeString(schema: Record<string, unknown>): string {
  if (schema.format === 'upstream-origin') {
    return "an origin like 'http://host:8080' or 'https://host', without path, query and credentials";
  }
  if (schema.format === 'host-pattern')
    return "a host name like 'api.example.com' or '*.example.com', without scheme and port";
  if (schema.format === 'cidr') return "an address or a CIDR range like '10.0.0.0/8'";
  if (schema.format === 'uri') return "a URL like 'https://host/path'";
  if (schema.format === 'regex') return 'a regular expression';
  if (schema.pattern === '^/') return "text that starts with '/'";
  if (typeof schema.pattern === 'string') return `text that matches ${schema.pattern}`;
  if (schema.minLength === 1) return 'text that is not empty';
  if (typeof schema.minLength === 'number') return `text of at least ${schema.minLength} characters`;
  if (typeof schema.maxLength === 'number') return `text of at most ${schema.maxLength} characters`;
  return 'text';
}

function describeList(schema: Record<string, unknown>): string {
  const items = isRecord(schema.items) ? ` of ${plural(schema.items)}` : '';
  return typeof schema.minItems === 'number' && schema.minItems > 0
    ? `a list${items} with at least ${schema.minItems === 1 ? 'one entry' : `${schema.minItems} entries`}`
    : `a list${items}`;
}

function plural(items: Record<string, unknown>): string {
  if (items.type === 'object') return 'objects';
  return items.type === 'string' && items.format === undefined
    ? 'texts'
    : `values, each ${describeSchema(items)}`;
}

function describeObject(schema: Record<string, unknown>): string {
  if (!isRecord(schema.properties)) return 'an object';
  const keys = Object.keys(schema.properties);
  return keys.length === 0 ? 'an object' : `an object with the keys ${keys.join(', ')}`;
}

function bounds(schema: Record<string, unknown>): string {
  const { minimum, maximum, exclusiveMinimum } = schema;
  if (typeof minimum === 'number' && typeof maximum === 'number') return ` from ${minimum} to ${maximum}`;
  if (typeof minimum === 'number') return ` of at least ${minimum}`;
  if (typeof maximum === 'number') return ` of at most ${maximum}`;
  return typeof exclusiveMinimum === 'number' ? ` greater than ${exclusiveMinimum}` : '';
}

function durationBounds(limits: unknown): string {
  if (!isRecord(limits)) return '';
  const { minimum, maximum } = limits;
  const parts: string[] = [];
  if (typeof minimum === 'number') parts.push(`at least ${formatDuration(minimum)}`);
  if (typeof maximum === 'number') parts.push(`at most ${formatDuration(maximum)}`);
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
}
