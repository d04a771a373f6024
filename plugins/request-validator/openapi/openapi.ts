import { GatewayError } from '../../../core/index.js';
import { MistakeList } from '../mistake-list.js';
import type { OpenApiOptions, SanitiseOptions } from '../options.js';
import { PathTemplate, split } from '../path-template.js';
import type { RequestView } from '../request-view.js';
import { entriesOf, OpenApiDocument } from './document.js';
import { Operation } from './operation.js';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

interface PathItem {
  readonly template: PathTemplate;
  readonly operations: ReadonlyMap<string, Operation>;
}

/** The operation that a request is for. */
export interface FoundOperation {
  readonly operation: Operation;
  /** Parameters of the path, still percent-encoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** Finds the operations of an OpenAPI document. */
export class OpenApi {
  readonly #basePath: string;
  readonly #undocumented: OpenApiOptions['undocumented'];
  /** The paths by their number of segments, the more concrete first. */
  readonly #items = new Map<number, PathItem[]>();

  /** @throws ConfigurationError with every mistake of the document, each with its JSON pointer */
  constructor(options: OpenApiOptions, changes: SanitiseOptions) {
    const mistakes = new MistakeList(options.file);
    this.#undocumented = options.undocumented;
    const document = OpenApiDocument.read(options.file, changes, mistakes);
    mistakes.raise();
    this.#basePath = (options.basePath ?? document?.basePath ?? '').replace(/\/+$/, '');
    if (document !== undefined) this.#compile(document);
    mistakes.raise();
  }

  /**
   * The operation of a request; undefined where the document has none and that may pass.
   *
   * @throws GatewayError NOT_FOUND, or METHOD_NOT_ALLOWED with the methods that are
   */
  find(view: RequestView): FoundOperation | undefined {
    const found = this.#item(view.upstreamPath);
    if (found === undefined) {
      if (this.#undocumented.paths === 'pass') return undefined;
      throw new GatewayError('NOT_FOUND');
    }
    const { operations } = found.item;
    const method = view.exchange.req.method ?? '';
    // A resource for GET answers HEAD as well (RFC 9110 section 9.3.2).
    const operation = operations.get(method) ?? (method === 'HEAD' ? operations.get('GET') : undefined);
    if (operation !== undefined) return { operation, params: found.params };
    if (this.#undocumented.methods === 'pass') return undefined;
    throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { Allow: [...operations.keys()].join(', ') } });
  }

  #item(path: string): { item: PathItem; params: Record<string, string> } | undefined {
    if (!path.startsWith(`${this.#basePath}/`)) return undefined;
    const segments = split(path.slice(this.#basePath.length));
    for (const item of this.#items.get(segments.length) ?? []) {
      const params = item.template.match(segments);
      if (params !== undefined) return { item, params };
    }
    return undefined;
  }

  #compile(document: OpenApiDocument): void {
    for (const [path, part, at] of entriesOf(document.root.paths, '#/paths')) {
      const located = document.resolve(part, at);
      if (located === undefined) continue;
      if (!path.startsWith('/')) {
        document.mistakes.add(at, `the path "${path}"`, 'one that starts with a slash');
        continue;
      }
      const template = PathTemplate.ofOpenApi(path);
      const operations = new Map<string, Operation>();
      for (const method of METHODS) {
        if (located.node[method] === undefined) continue;
        const own = document.resolve(located.node[method], `${located.at}/${method}`);
        if (own === undefined) continue;
        const operation = new Operation(located, own, template.names, document, this.#undocumented);
        operations.set(method.toUpperCase(), operation);
      }
      const items = this.#items.get(template.length) ?? [];
      items.push({ template, operations });
      this.#items.set(template.length, items);
    }
    for (const items of this.#items.values()) {
      items.sort((one, other) => PathTemplate.compare(one.template, other.template));
    }
  }
}
