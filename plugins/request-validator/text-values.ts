/**
 * Parameters and form fields are texts, schemas want numbers and booleans: this reads a text as the type that its
 * schema names, and only where it is written as JSON would write it. `0x10`, ` 5` and `TRUE` stay texts, and are
 * refused by the schema then: a service might read them otherwise.
 */

/** What a schema says about a value that comes as text. */
export interface TextShape {
  /** The types that a single value may have. */
  readonly types: ReadonlySet<string>;
  /** The shape of the items, where it is a list. */
  readonly items: TextShape | undefined;
  /** The shapes of the properties, where it is an object. */
  readonly properties: ReadonlyMap<string, TextShape> | undefined;
}

/** Finds what a `$ref` stands for; undefined when it cannot. */
export type Resolver = (ref: string) => unknown;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Finds the shape of a schema.
 *
 * @param levels how many levels of properties and items are looked into; schemas may refer to themselves
 */
export function shapeOf(schema: unknown, resolve: Resolver, levels = 2): TextShape {
  const types = new Set<string>();
  const properties = new Map<string, TextShape>();
  let items: TextShape | undefined;
  const parts: Record<string, unknown>[] = [];
  collect(schema, resolve, parts);
  for (const part of parts) {
    for (const type of [part.type].flat()) if (typeof type === 'string') types.add(type);
    for (const value of 'const' in part ? [part.const] : Array.isArray(part.enum) ? part.enum : []) {
      types.add(value === null ? 'null' : typeof value);
    }
    if (levels === 0) continue;
    if (isObject(part.items)) items ??= shapeOf(part.items, resolve, levels - 1);
    for (const [name, child] of Object.entries(isObject(part.properties) ? part.properties : {})) {
      properties.set(name, shapeOf(child, resolve, levels - 1));
    }
  }
  if (types.has('array')) items ??= { types: new Set(), items: undefined, properties: undefined };
  return { types, items, properties: properties.size > 0 ? properties : undefined };
}

/** A schema with what it refers to and is composed of. */
function collect(schema: unknown, resolve: Resolver, parts: Record<string, unknown>[]): void {
  if (!isObject(schema) || parts.includes(schema)) return;
  parts.push(schema);
  if (typeof schema.$ref === 'string') collect(resolve(schema.$ref), resolve, parts);
  for (const part of [schema.allOf, schema.anyOf, schema.oneOf].flat()) collect(part, resolve, parts);
}

/** Reads a text as the first of its types that it is written as; otherwise it stays a text. */
export function readText(text: string, { types }: TextShape): unknown {
  if ((types.has('integer') || types.has('number')) && NUMBER.test(text)) return Number(text);
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (types.has('null') && text === 'null') return null;
  return text;
}

/** Reads the texts of one name: a list where the schema wants one, or where there are several. */
export function readTexts(texts: readonly string[], shape: TextShape): unknown {
  const [first] = texts;
  if (shape.items !== undefined && !(texts.length === 1 && admitsSingle(shape))) {
    const { items } = shape;
    return texts.map((text) => readText(text, items));
  }
  return texts.length === 1 && first !== undefined ? readText(first, shape) : [...texts];
}

function admitsSingle({ types }: TextShape): boolean {
  return types.has('string') || types.has('number') || types.has('integer') || types.has('boolean');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
