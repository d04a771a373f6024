import type { Exchange } from '../../core/index.js';
import type { FieldTemplate, RequestOptions, RuleReader } from './rules.js';

/** Edits the fields of requests on their way to the upstream: removes, renames, sets, adds, in this order. */
export class RequestRules {
  readonly #remove: readonly string[];
  readonly #rename: readonly (readonly [string, string])[];
  readonly #set: readonly FieldTemplate[];
  readonly #add: readonly FieldTemplate[];

  /** @param reader learns of the mistakes */
  constructor(options: RequestOptions, reader: RuleReader) {
    this.#remove = reader.names(options.remove).map((name) => name.toLowerCase());
    this.#rename = reader
      .renames(options.rename)
      .map(([from, to]) => [from.toLowerCase(), to.toLowerCase()] as const);
    this.#set = reader.values('set', options.set).map(inLowerCase);
    this.#add = reader.values('add', options.add).map(inLowerCase);
  }

  get isEmpty(): boolean {
    return this.#remove.length + this.#rename.length + this.#set.length + this.#add.length === 0;
  }

  apply(exchange: Exchange): void {
    for (const name of this.#remove) exchange.removeUpstreamHeader(name);
    for (const [from, to] of this.#rename) {
      const value = current(exchange, from);
      if (value === undefined) continue;
      exchange.removeUpstreamHeader(from);
      exchange.setUpstreamHeader(to, value);
    }
    for (const { name, template } of this.#set) {
      const value = template.render(exchange);
      // The client's own must not stand where the gateway has nothing to say.
      if (value === '') exchange.removeUpstreamHeader(name);
      else exchange.setUpstreamHeader(name, value);
    }
    for (const { name, template } of this.#add) {
      const value = template.render(exchange);
      if (value === '') continue;
      const before = current(exchange, name);
      const separator = name === 'cookie' ? '; ' : ', ';
      exchange.setUpstreamHeader(
        name,
        before === undefined || before === '' ? value : before + separator + value,
      );
    }
  }
}

function inLowerCase({ name, template }: FieldTemplate): FieldTemplate {
  return { name: name.toLowerCase(), template };
}

/** The field as the upstream would get it now. */
function current(exchange: Exchange, name: string): string | undefined {
  const edits = exchange.upstreamHeaders;
  if (edits?.has(name)) return edits.get(name);
  const value = exchange.req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
