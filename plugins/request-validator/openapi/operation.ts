import type { BodyDemand, BodySchema, Demand } from '../demand.js';
import { type Findings, pointerTo } from '../findings.js';
import { inRange } from '../media-type.js';
import type { RequestView } from '../request-view.js';
import { isObject } from '../text-values.js';
import { entriesOf, type Located, type OpenApiDocument } from './document.js';
import { Parameter } from './parameter.js';

/** What becomes of what an operation does not describe. */
export interface Undocumented {
  readonly parameters: 'reject' | 'pass';
  readonly bodies: 'reject' | 'pass';
}

/** An operation of a document. */
export class Operation implements Demand {
  readonly body: BodyDemand | undefined;
  readonly #parameters: readonly Parameter[];
  readonly #inQuery: readonly Parameter[];
  readonly #queryKeys: ReadonlySet<string>;
  readonly #undocumented: Undocumented;

  /**
   * @param item the path item that the operation stands in
   * @param names the parameters in the template of the path
   */
  constructor(
    item: Located,
    operation: Located,
    names: readonly string[],
    document: OpenApiDocument,
    undocumented: Undocumented,
  ) {
    this.#parameters = parametersOf(item, operation, document);
    this.#inQuery = this.#parameters.filter(({ place }) => place === 'query');
    this.#queryKeys = apiKeysInQuery(document);
    this.#undocumented = undocumented;
    const { requestBody } = operation.node;
    const located =
      requestBody === undefined ? undefined : document.resolve(requestBody, `${operation.at}/requestBody`);
    this.body = located && bodyDemand(located, document);
    const isDescribed = (name: string) =>
      document.mistakes.count > 0 ||
      this.#parameters.some((each) => each.place === 'path' && each.name === name);
    for (const name of names.filter((each) => !isDescribed(each))) {
      document.mistakes.add(operation.at, `no parameter for {${name}} in the path`, 'one for each');
    }
  }

  checkHead(view: RequestView, params: Readonly<Record<string, string>>, findings: Findings): void {
    for (const parameter of this.#parameters) parameter.check(view, params, findings);
    if (this.#undocumented.parameters === 'reject') this.#findUndocumented(view, findings);
    if (this.#undocumented.bodies === 'reject' && this.body === undefined && view.exchange.hasBody) {
      findings.add('body', '', 'expected no body', 'requestBody');
    }
  }

  #findUndocumented(view: RequestView, findings: Findings): void {
    for (const { name } of view.query) {
      if (!this.#inQuery.some((parameter) => parameter.covers(name)) && !this.#queryKeys.has(name)) {
        findings.add('query', pointerTo('', name), 'expected no such parameter', 'undocumented');
      }
    }
  }
}

/** The parameters of an operation; they win over those of its path item (OpenAPI 3.1 section 4.8.9.1). */
function parametersOf(item: Located, operation: Located, document: OpenApiDocument): Parameter[] {
  const byKey = new Map<string, Located>();
  for (const { node, at } of [item, operation]) {
    for (const [, part, place] of listEntries(node.parameters, `${at}/parameters`)) {
      const located = document.resolve(part, place);
      if (located !== undefined) byKey.set(`${located.node.in} ${located.node.name}`, located);
    }
  }
  return [...byKey.values()]
    .map((located) => Parameter.compile(located, document))
    .filter((parameter) => parameter !== undefined);
}

function listEntries(list: unknown, at: string): [number, unknown, string][] {
  return Array.isArray(list) ? list.map((part, position) => [position, part, `${at}/${position}`]) : [];
}

function bodyDemand({ node, at }: Located, document: OpenApiDocument): BodyDemand {
  const required = node.required === true;
  const checks: BodyCheck[] = [];
  for (const [key, part, place] of entriesOf(node.content, `${at}/content`)) {
    const range = (key.split(';')[0] ?? '').trim().toLowerCase();
    checks.push(bodyCheck(range, part, place, document));
  }
  checks.sort((one, other) => generality(one.range) - generality(other.range));
  return {
    isRequired: () => required,
    schemaFor: (type) => {
      const check = type && checks.find(({ range }) => inRange(type, range));
      if (type === undefined || check === undefined) return undefined;
      if (type.kind === 'opaque') return 'unchecked';
      return (type.kind === 'json' ? check.json : check.other) ?? 'unchecked';
    },
    accepts: checks.map(({ range }) => range),
  };
}

/** The check of one media range; without a schema a body is taken as it is. */
interface BodyCheck {
  readonly range: string;
  readonly json: BodySchema | undefined;
  /** For forms and texts, which no schema may change. */
  readonly other: BodySchema | undefined;
}

function bodyCheck(range: string, part: unknown, at: string, document: OpenApiDocument): BodyCheck {
  const schema = isObject(part) ? part.schema : undefined;
  if (schema === undefined) return { range, json: undefined, other: undefined };
  const shape = document.shape(schema);
  const json = document.compile(`${at}/schema`, true);
  const other = document.compile(`${at}/schema`, false);
  return { range, json: json && { schema: json, shape }, other: other && { schema: other, shape } };
}

/** A more special range goes before a more general one (OpenAPI 3.1 section 4.8.14.1). */
function generality(range: string): number {
  if (range === '*/*') return 2;
  return range.includes('*') ? 1 : 0;
}

/** API keys in the query are described as security schemes. */
function apiKeysInQuery({ root }: OpenApiDocument): ReadonlySet<string> {
  const { components } = root;
  const names = entriesOf(isObject(components) ? components.securitySchemes : undefined, '')
    .map(([, scheme]) => scheme)
    .filter(isObject)
    .filter((scheme) => scheme.type === 'apiKey' && scheme.in === 'query')
    .map(({ name }) => String(name));
  return new Set(names);
}
