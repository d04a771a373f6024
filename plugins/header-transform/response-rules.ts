import type { GatewayContext } from '../../core/index.js';
import type { FieldTemplate, ResponseOptions, RuleReader } from './rules.js';

/** Edits the fields of responses, errors among them. */
export class ResponseRules {
  readonly #remove: readonly string[];
  readonly #set: readonly FieldTemplate[];
  readonly #add: readonly FieldTemplate[];

  /** @param reader learns of the mistakes */
  constructor(options: ResponseOptions, reader: RuleReader) {
    this.#remove = reader.names(options.remove);
    this.#set = reader.values('set', options.set);
    this.#add = reader.values('add', options.add);
  }

  /** Whether there is something to do once the upstream's head is there. */
  get editsHead(): boolean {
    return this.#remove.length + this.#add.length > 0;
  }

  get isEmpty(): boolean {
    return this.#set.length === 0 && !this.editsHead;
  }

  /** To be called before the rest of the onion: what is set then stands instead of the upstream's field. */
  before(ctx: GatewayContext): void {
    for (const { name, template } of this.#set) {
      const value = template.render(ctx.gateway);
      if (value !== '') ctx.set(name, value);
    }
  }

  /** To be called when the head is there, or has failed to come. */
  after(ctx: GatewayContext): void {
    for (const name of this.#remove) ctx.remove(name);
    for (const { name, template } of this.#add) {
      const value = template.render(ctx.gateway);
      if (value !== '') ctx.append(name, value);
    }
  }
}
