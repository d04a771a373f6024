import type { TObject } from 'typebox';
import { isRecord, recordOf } from './paths.js';
import { SettingsSchema } from './schema.js';

/** One row of a table of settings. */
interface Row {
  readonly path: string;
  readonly type: string;
  readonly fallback: string;
  readonly description: string;
}

/** docs/reference/configuration.md: every setting of `.gatewayrc`, from the schema that validates it. */
export function configurationReference(): string {
  const groups = new Map<string, Row[]>();
  for (const row of rowsOf(SettingsSchema, '')) {
    const key = /^[A-Za-z]+/.exec(row.path)?.[0] ?? '';
    const group = isSection(SettingsSchema.properties, key) ? key : '';
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  const sections = [...groups].map(([group, rows]) => {
    const title = group === '' ? '## General' : `## \`${group}\``;
    return `${title}\n\n${table('Setting', rows)}`;
  });
  const head = [
    '# Configuration reference',
    '',
    'Generated from the schema by `npm run generate`. Forms, units and variables: [Configuration](../guides/configuration.md).',
  ];
  return `${head.join('\n')}\n\n${sections.join('\n')}`;
}

/** The table of a plugin's options for its page, as markdown; a sentence when it has none. */
export function optionsTable(schema: TObject): string {
  const rows = rowsOf(schema, '');
  return rows.length === 0 ? 'This plugin has no options.\n' : table('Option', rows);
}

function rowsOf(schema: unknown, prefix: string): Row[] {
  const { properties, required } = recordOf(schema);
  return Object.entries(recordOf(properties)).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return rowsOfProperty(property, path, Array.isArray(required) && required.includes(name));
  });
}

function rowsOfProperty(property: unknown, path: string, isRequired: boolean): Row[] {
  const schema = recordOf(property);
  const description = typeof schema.description === 'string' ? schema.description : '';
  const own: Row = { path, type: typeName(schema), fallback: fallbackOf(schema, isRequired), description };
  if (isRecord(schema.properties) && Object.keys(schema.properties).length > 0) {
    return [...(description === '' ? [] : [own]), ...rowsOf(schema, path)];
  }
  if (isRecord(schema.items) && isRecord(schema.items.properties))
    return [own, ...rowsOf(schema.items, `${path}[]`)];
  const [values] = Object.values(recordOf(schema.patternProperties));
  const nested = isRecord(values) ? values : schema.additionalProperties;
  if (isRecord(nested) && isRecord(nested.properties)) return [own, ...rowsOf(nested, `${path}.<name>`)];
  return [own];
}

function isSection(properties: unknown, key: string): boolean {
  const schema = recordOf(recordOf(properties)[key]);
  return schema.type === 'object' || isRecord(recordOf(schema.items).properties);
}

/** The type of a setting in a word or two. */
function typeName(schema: Record<string, unknown>): string {
  if (schema.gatewayDuration !== undefined) return 'duration';
  if (schema.gatewaySize !== undefined) return 'size';
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if ('const' in schema) return `\`${String(schema.const)}\``;
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches))
    return [...new Set(branches.map((branch) => typeName(recordOf(branch))))].join(' or ');
  if (schema.type === 'array') return `list of ${typeName(recordOf(schema.items))}`;
  if (schema.format === 'upstream-origin') return 'origin';
  if (schema.format === 'cidr') return 'address or CIDR';
  const limits = schema.type === 'integer' || schema.type === 'number' ? range(schema) : '';
  return `${Array.isArray(schema.type) ? schema.type.join(' or ') : String(schema.type ?? 'any')}${limits}`;
}

function range({ minimum, maximum }: Record<string, unknown>): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${String(minimum)} to ${String(maximum)}`;
  if (minimum !== undefined) return `, at least ${String(minimum)}`;
  return maximum === undefined ? '' : `, at most ${String(maximum)}`;
}

function fallbackOf(schema: Record<string, unknown>, isRequired: boolean): string {
  if (!('default' in schema)) return isRequired ? 'required' : '';
  if (isRecord(schema.default) && Object.keys(schema.default).length === 0) return '';
  return `\`${typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)}\``;
}

function table(heading: string, rows: readonly Row[]): string {
  const lines = rows.map(({ path, type, fallback, description }) => {
    const cells = [`\`${path}\``, type, fallback, description];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [`| ${heading} | Type | Default | Description |`, '|---|---|---|---|', ...lines, ''].join('\n');
}
