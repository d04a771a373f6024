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
  /** In a slab there is none of its own. */
  #head: string | undefined;
  /** In a slab it is a view, made for the first who asks. */
  #content: Buffer | string | undefined;
  #handedOut = false;
  #slab: Slab | undefined;
  #at = 0;
  #index = 0;
  #filling = 0;

  /** @param content its bytes; or a text, each byte one character */
  constructor(content: Buffer | string, head = '') {
    this.length = content.length;
    this.room = head.length + content.length;
    this.#head = head;
    this.#content = content;
  }

  /** Its bytes; the same Buffer each time, until it is moved to another slab. */
  get bytes(): Buffer {
    const content = this.#content;
    if (typeof content === 'object') return content;
    // Who has the view may read it whenever he likes.
    this.handOut();
    const bytes =
      this.#memory()?.subarray(this.#at + this.room - this.length, this.#at + this.room) ??
      Buffer.from(content ?? '', 'latin1');
    this.#content = bytes;
    return bytes;
  }

  get text(): string {
    const memory = this.#memory();
    if (memory !== undefined)
      return memory.latin1Slice(this.#at + this.room - this.length, this.#at + this.room);
    return typeof this.#content === 'string' ? this.#content : latin1(this.bytes);
  }

  get head(): string {
    return this.#memory()?.latin1Slice(this.#at, this.#at + this.room - this.length) ?? this.#head ?? '';
  }

  /** Where it is, or was to the last: there it can be read even when nobody keeps it any more, if it was handed out. */
  get slab(): Slab | undefined {
    return this.#slab;
  }

  /** The how-manieth body of its slab it is. */
  get index(): number {
    return this.#index;
  }

  /** Somebody beside the store has it from now on: wherever it is, that is left as it is, even after it is removed. */
  handOut(): void {
    this.#handedOut = true;
    if (this.#slab !== undefined) this.#slab.handedOut = true;
  }

  /** For {@link Slab}: writes it there, where it is from now on. */
  moveTo(slab: Slab, at: number, index: number): void {
    const memory = this.#memory();
    const content = this.#content;
    if (memory !== undefined) {
      memory.copy(slab.memory, at, this.#at, this.#at + this.room);
    } else {
      const start = at + slab.memory.latin1Write(this.#head ?? '', at);
      if (typeof content === 'string') slab.memory.latin1Write(content, start);
      else content?.copy(slab.memory, start);
    }
    if (this.#handedOut) slab.handedOut = true;
    this.#head = undefined;
    this.#content = undefined;
    this.#slab = slab;
    this.#at = at;
    this.#index = index;
    this.#filling = slab.filling;
  }

  /** @throws Error where others are by now: nobody is shown what is theirs */
  #memory(): Buffer | undefined {
    if (this.#slab === undefined) return undefined;
    if (this.#slab.filling !== this.#filling) throw new Error('A body was read that nobody had kept');
    return this.#slab.memory;
  }
}
