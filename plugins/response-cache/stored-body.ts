import { latin1, type WholeBody } from '../../core/index.js';
import type { Slab } from './body-slabs.js';

/** The body of a stored response: in memory of its own, or in a slab that it shares with others. */
export class StoredBody implements WholeBody {
  readonly length: number;
  /** Stored responses that have it; for the slabs. */
  users = 0;
  #text: string | undefined;
  /** In a slab it is a view, made for the first who asks. */
  #bytes: Buffer | undefined;
  #slab: Slab | undefined;
  #at = 0;
  #index = 0;

  /** @param content its bytes; or a text, each byte one character */
  constructor(content: Buffer | string) {
    this.length = content.length;
    if (typeof content === 'string') this.#text = content;
    else this.#bytes = content;
  }

  /** Its bytes; the same Buffer each time, until it is moved to another slab. */
  get bytes(): Buffer {
    this.#bytes ??=
      this.#slab === undefined
        ? Buffer.from(this.#text ?? '', 'latin1')
        : this.#slab.memory.subarray(this.#at, this.#at + this.length);
    return this.#bytes;
  }

  get text(): string {
    if (this.#slab !== undefined) return this.#slab.memory.latin1Slice(this.#at, this.#at + this.length);
    return this.#text ?? latin1(this.bytes);
  }

  /** Where it is, or was to the last: it can be read there even when nobody keeps it any more. */
  get slab(): Slab | undefined {
    return this.#slab;
  }

  /** The how-manieth body of its slab it is. */
  get index(): number {
    return this.#index;
  }

  /** For {@link Slab}: writes it there, where it is from now on. */
  moveTo(slab: Slab, at: number, index: number): void {
    if (this.#slab !== undefined) this.#slab.memory.copy(slab.memory, at, this.#at, this.#at + this.length);
    else if (this.#text !== undefined) slab.memory.latin1Write(this.#text, at, this.length);
    else this.#bytes?.copy(slab.memory, at);
    this.#text = undefined;
    this.#bytes = undefined;
    this.#slab = slab;
    this.#at = at;
    this.#index = index;
  }
}
