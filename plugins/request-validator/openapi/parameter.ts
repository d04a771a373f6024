import type { CompiledSchema } from '../compiled-schema.js';
import { type Findings, type Place, pointerTo } from '../findings.js';
import { decodeForm, decodePercent, type RequestView } from '../request-view.js';
import { isObject, readText, readTexts, type TextShape } from '../text-values.js';
import type { Located, OpenApiDocument } from './document.js';

/** How a parameter is written (OpenAPI 3.1 section 4.8.12.2). */
type Notation =
  /** One value, or one for each time that the name is there. */
  | { readonly kind: 'repeated' }
  /** A list in one value. */
  | { readonly kind: 'delimited'; readonly delimiters: readonly string[] }
  /** `name[property]=value`. */
  | { readonly kind: 'deep' }
  /** JSON text. */
  | { readonly kind: 'json' };

const PLACES: Readonly<Record<string, Place>> = {
  path: 'path',
  query: 'query',
  header: 'header',
  cookie: 'cookie',
};
/** Not parameters, whatever a document says of them (OpenAPI 3.1 section 4.8.12.1). */
const NO_PARAMETERS = new Set(['accept', 'content-type', 'authorization']);
const COMMA = [','];

/** A parameter of an operation. */
export class Parameter {
  readonly name: string;
  readonly place: Place;
  readonly #required: boolean;
  readonly #allowsEmpty: boolean;
  readonly #notation: Notation;
  readonly #shape: TextShape;
  readonly #schema: CompiledSchema;

  private constructor(
    located: Located,
    place: Place,
    name: string,
    notation: Notation,
    shape: TextShape,
    schema: CompiledSchema,
  ) {
    this.name = place === 'header' ? name.toLowerCase() : name;
    this.place = place;
    this.#required = located.node.required === true;
    this.#allowsEmpty = located.node.allowEmptyValue === true;
    this.#notation = notation;
    this.#shape = shape;
    this.#schema = schema;
  }

  /** @returns undefined when it demands nothing, or is wrong; the mistakes have been listed then */
  static compile(located: Located, document: OpenApiDocument): Parameter | undefined {
    const { node, at } = located;
    const place = PLACES[String(node.in)];
    if (place === undefined || typeof node.name !== 'string') {
      document.mistakes.add(
        at,
        'a parameter without "name" or "in"',
        'both, "in" as path, query, header or cookie',
      );
      return undefined;
    }
    if (place === 'header' && NO_PARAMETERS.has(node.name.toLowerCase())) return undefined;
    const inContent = contentSchema(node);
    const schemaAt = inContent === undefined ? `${at}/schema` : `${at}/content/application~1json/schema`;
    const schema = inContent ?? node.schema;
    if (!isObject(schema)) {
      document.mistakes.add(
        at,
        'a parameter without a schema',
        'a "schema", or "content" of application/json',
      );
      return undefined;
    }
    const shape = document.shape(schema);
    const notation =
      inContent === undefined ? notationOf(located, place, shape, document) : ({ kind: 'json' } as const);
    const compiled = document.compile(schemaAt, false);
    if (notation === undefined || compiled === undefined) return undefined;
    return new Parameter(located, place, node.name, notation, shape, compiled);
  }

  /** Whether a query parameter of this name belongs to it. */
  covers(name: string): boolean {
    return name === this.name || (this.#notation.kind === 'deep' && name.startsWith(`${this.name}[`));
  }

  /** Adds the faults of its value. */
  check(view: RequestView, params: Readonly<Record<string, string>>, findings: Findings): void {
    const base = pointerTo('', this.name);
    const value =
      this.#notation.kind === 'deep'
        ? this.#deepValue(view, findings)
        : this.#value(this.#texts(view, params), findings);
    if (value === INVALID) return;
    if (value !== undefined) this.#schema.check({ value }, this.place, base, findings);
    else if (this.#required) findings.add(this.place, base, 'expected a value', 'required');
  }

  /** The values as they were sent. */
  #texts(view: RequestView, params: Readonly<Record<string, string>>): readonly string[] {
    if (this.place === 'query')
      return view.query.filter(({ name }) => name === this.name).map(({ raw }) => raw);
    if (this.place === 'header') return view.header(this.name);
    if (this.place === 'cookie') return view.cookie(this.name);
    const param = params[this.name];
    return param === undefined ? [] : [param];
  }

  /** @returns undefined when there is none, INVALID when its faults have been added */
  #value(texts: readonly string[], findings: Findings): unknown {
    const [first] = texts;
    if (first === undefined) return undefined;
    const base = pointerTo('', this.name);
    const isRepeatable = this.#notation.kind === 'repeated' && this.#shape.items !== undefined;
    // In a header field a list may come in several lines (RFC 9110 section 5.3).
    const isList = this.#notation.kind === 'delimited' && this.place === 'header';
    if (texts.length > 1 && !isRepeatable && !isList) {
      findings.add(this.place, base, 'expected one value', 'repetition');
      return INVALID;
    }
    if (this.#allowsEmpty && texts.length === 1 && first === '') return INVALID;
    const parts = this.#notation.kind === 'delimited' ? this.#split(texts) : texts;
    const decoded = parts.map((part) => this.#decode(part));
    if (!decoded.every((part) => part !== undefined)) {
      findings.add(this.place, base, 'expected percent-encoded UTF-8', 'encoding');
      return INVALID;
    }
    if (this.#notation.kind === 'json') return this.#json(decoded[0] ?? '', findings);
    const { items } = this.#shape;
    if (this.#notation.kind === 'delimited' && items !== undefined)
      return decoded.map((part) => readText(part, items));
    return readTexts(decoded, this.#shape);
  }

  #split(texts: readonly string[]): string[] {
    const delimiters = this.#notation.kind === 'delimited' ? this.#notation.delimiters : COMMA;
    const [first = ',', ...others] = delimiters;
    const joined = texts.join(first);
    const parts = others.reduce((text, other) => text.replaceAll(other, first), joined).split(first);
    return this.place === 'header' ? parts.map((part) => part.trim()) : parts;
  }

  #decode(text: string): string | undefined {
    if (this.place === 'query') return decodeForm(text);
    return this.place === 'header' ? text : decodePercent(text);
  }

  #json(text: string, findings: Findings): unknown {
    try {
      return JSON.parse(text);
    } catch {
      findings.add(this.place, pointerTo('', this.name), 'expected valid JSON', 'json');
      return INVALID;
    }
  }

  #deepValue(view: RequestView, findings: Findings): unknown {
    const start = `${this.name}[`;
    let value: Record<string, unknown> | undefined;
    for (const pair of view.query) {
      if (!pair.name.startsWith(start)) continue;
      const property = pair.name.slice(start.length, -1);
      value ??= Object.create(null) as Record<string, unknown>;
      const isPlain = pair.name.endsWith(']') && !/[[\]]/.test(property) && !(property in value);
      if (!isPlain || pair.value === undefined) {
        findings.add('query', pointerTo('', pair.name), 'expected one value of one property', 'deepObject');
        return INVALID;
      }
      const shape = this.#shape.properties?.get(property);
      value[property] = shape === undefined ? pair.value : readText(pair.value, shape);
    }
    return value;
  }
}

/** Stands for a value whose faults have been added, or that is not to be checked. */
const INVALID = Symbol('invalid');

function contentSchema({ content }: Readonly<Record<string, unknown>>): unknown {
  const json = isObject(content) ? content['application/json'] : undefined;
  return isObject(json) ? json.schema : undefined;
}

function notationOf(
  { node, at }: Located,
  place: Place,
  shape: TextShape,
  { mistakes }: OpenApiDocument,
): Notation | undefined {
  const usual = place === 'query' || place === 'cookie' ? 'form' : 'simple';
  const style = node.style ?? usual;
  const explode = node.explode ?? style === 'form';
  const isObjectOnly = shape.properties !== undefined && shape.items === undefined;
  if (style === 'deepObject' && place === 'query') return { kind: 'deep' };
  if (isObjectOnly) {
    mistakes.add(
      at,
      `an object in the style "${style}"`,
      'the style deepObject in a query, or "content" of application/json',
    );
    return undefined;
  }
  if (style === usual) {
    const isDelimited = shape.items !== undefined && (usual === 'simple' || explode === false);
    return isDelimited ? { kind: 'delimited', delimiters: COMMA } : { kind: 'repeated' };
  }
  if (place === 'query' && explode === false && style === 'spaceDelimited')
    return { kind: 'delimited', delimiters: ['%20', '+'] };
  if (place === 'query' && explode === false && style === 'pipeDelimited')
    return { kind: 'delimited', delimiters: ['|', '%7C', '%7c'] };
  mistakes.add(
    `${at}/style`,
    `"${style}"`,
    `"${usual}", or in a query deepObject, or spaceDelimited or pipeDelimited without explode`,
  );
  return undefined;
}
