import { latin1, type WholeBody } from '../../core/index.js';
import type { Slab } from './body-slabs.js';

/**
 * The body of a stored response, with the head that it came with: in memory of its own, or in a slab that it shares with
 * others. Heads are texts of which each character is one byte.
 */
export class StoredBody implements WholeBody {
  readonly length: number;
  /** Bytes of head and body. */
  readonly room: number;
  /** Stored responses that have it; for the slabs. */
  users = 0;
  #head: string | undefined;
  #text: string | undefined;
  /** In a slab it is a view, made for the first who asks. */
  #bytes: Buffer | undefined;
  #slab: Slab | undefined;
  #at = 0;
  #index = 0;

  /** @param content its bytes; or a text, each byte one character */
  constructor(content: Buffer | string, head = '') {
    this.length = content.length;
    this.room = head.length + content.length;
    this.#head = head;
    if (typeof content === 'string') this.#text = content;
    else this.#bytes = content;
  }

  /** Its bytes; the same Buffer each time, until it is moved to another slab. */
  get bytes(): Buffer {
    this.#bytes ??=
      this.#slab === undefined
        ? Buffer.from(this.#text ?? '', 'latin1')
        : this.#slab.memory.subarray(this.#at + this.room - this.length, this.#at + this.room);
    return this.#bytes;
  }

  get text(): string {
    if (this.#slab !== undefined)
      return this.#slab.memory.latin1Slice(this.#at + this.room - this.length, this.#at + this.room);
    return this.#text ?? latin1(this.bytes);
  }

  get head(): string {
    if (this.#slab !== undefined)
      return this.#slab.memory.latin1Slice(this.#at, this.#at + this.room - this.length);
    return this.#head ?? '';
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
    if (this.#slab !== undefined) {
      this.#slab.memory.copy(slab.memory, at, this.#at, this.#at + this.room);
    } else {
      const start = at + slab.memory.latin1Write(this.#head ?? '', at);
      if (this.#text !== undefined) slab.memory.latin1Write(this.#text, start);
      else this.#bytes?.copy(slab.memory, start);
    }
    this.#head = undefined;
    this.#text = undefined;
    this.#bytes = undefined;
    this.#slab = slab;
    this.#at = at;
    this.#index = index;
  }
}
