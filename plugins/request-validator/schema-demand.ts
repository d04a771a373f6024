import type { CompiledSchema } from './compiled-schema.js';
import type { BodyDemand, BodySchema, Demand } from './demand.js';
import type { Findings, Place } from './findings.js';
import { pointerTo } from './findings.js';
import { inRange, type MediaType } from './media-type.js';
import type { RequestValidatorOptions, RuleOptions } from './options.js';
import { decodePercent, type RequestView } from './request-view.js';
import { resolverOf, type SchemaCompiler } from './schema-compiler.js';
import { isObject, readTexts, shapeOf, type TextShape } from './text-values.js';

const JSON_TYPES = ['application/json', 'application/*+json'];
/** Methods whose requests have a body as a rule (RFC 9110 section 9.3). */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

interface Fields {
  readonly schema: CompiledSchema;
  readonly shape: TextShape;
}

/** The JSON Schemas that stand in the options. */
export class SchemaDemand implements Demand {
  readonly body: BodyDemand | undefined;
  readonly #query: Fields | undefined;
  readonly #params: Fields | undefined;
  readonly #headers: Fields | undefined;

  /** @param path where the schemas stand in the options */
  constructor(
    schemas: Pick<RuleOptions, 'body' | 'query' | 'params' | 'headers'>,
    path: string,
    contentTypes: RequestValidatorOptions['contentTypes'],
    compiler: SchemaCompiler,
  ) {
    const fields = (schema: Readonly<Record<string, unknown>> | undefined, name: string) => {
      const compiled = schema && compiler.compile(schema, `${path}.${name}`, false);
      return compiled && { schema: compiled, shape: shapeOf(schema, resolverOf(schema)) };
    };
    this.#query = fields(schemas.query, 'query');
    this.#params = fields(schemas.params, 'params');
    this.#headers = fields(schemas.headers && inLowerCase(schemas.headers), 'headers');
    this.body =
      schemas.body && bodyDemand(schemas.body, `${path}.body`, contentTypes ?? JSON_TYPES, compiler);
  }

  checkHead(view: RequestView, params: Readonly<Record<string, string>>, findings: Findings): void {
    if (this.#query !== undefined) checkFields(this.#query, textsByName(view, findings), 'query', findings);
    if (this.#params !== undefined) checkFields(this.#params, decoded(params), 'path', findings);
    if (this.#headers !== undefined) checkFields(this.#headers, listed(view.headers()), 'header', findings);
  }
}

function checkFields(
  { schema, shape }: Fields,
  texts: ReadonlyMap<string, readonly string[]>,
  place: Place,
  findings: Findings,
): void {
  const value: Record<string, unknown> = Object.create(null);
  for (const [name, list] of texts) value[name] = fieldValue(name, list, shape);
  schema.check({ value }, place, '', findings);
}

/** The value of a field of a query or a form, in the type that the schema has for it. */
export function fieldValue(name: string, texts: readonly string[], shape: TextShape): unknown {
  const own = shape.properties?.get(name);
  if (own !== undefined) return readTexts(texts, own);
  return texts.length === 1 ? texts[0] : texts;
}

function textsByName(view: RequestView, findings: Findings): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const { name, value } of view.query) {
    if (value === undefined) {
      findings.add('query', pointerTo('', name), 'expected percent-encoded UTF-8', 'encoding');
      continue;
    }
    const list = texts.get(name);
    if (list === undefined) texts.set(name, [value]);
    else list.push(value);
  }
  return texts;
}

/** The kernel refuses paths whose escapes are no valid UTF-8, so that nothing is lost here. */
function decoded(params: Readonly<Record<string, string>>): Map<string, readonly string[]> {
  return new Map(Object.entries(params).map(([name, value]) => [name, [decodePercent(value) ?? value]]));
}

function listed(values: Readonly<Record<string, string>>): Map<string, readonly string[]> {
  return new Map(Object.entries(values).map(([name, value]) => [name, [value]]));
}

/** Header names have no case (RFC 9110 section 5.1), those of a schema's properties have. */
function inLowerCase(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { properties, required } = schema;
  return {
    ...schema,
    ...(isObject(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => [name.toLowerCase(), child]),
          ),
        }
      : {}),
    ...(Array.isArray(required) ? { required: required.map((name) => String(name).toLowerCase()) } : {}),
  };
}

function bodyDemand(
  schema: Readonly<Record<string, unknown>>,
  path: string,
  accepts: readonly string[],
  compiler: SchemaCompiler,
): BodyDemand | undefined {
  const json = compiler.compile(schema, path, true);
  // Only JSON is written anew; a schema that mends other bodies would let them pass unmended.
  const other = compiler.compile(schema, path, false);
  if (json === undefined || other === undefined) return undefined;
  const shape = shapeOf(schema, resolverOf(schema));
  const checks: Record<MediaType['kind'], BodySchema | undefined> = {
    json: { schema: json, shape },
    form: { schema: other, shape },
    text: { schema: other, shape },
    // What cannot be read cannot be checked: taking it would be a way round the schema.
    opaque: undefined,
  };
  return {
    isRequired: (method) => WITH_BODY.has(method),
    schemaFor: (type) =>
      type !== undefined && accepts.some((range) => inRange(type, range)) ? checks[type.kind] : undefined,
    accepts,
  };
}
