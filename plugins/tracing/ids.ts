import { randomFillSync } from 'node:crypto';

/** Random bytes that are drawn at a time: enough for some 170 requests. */
const POOL = 4096;

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;
const NO_SPAN = '0'.repeat(SPAN_DIGITS);

/** Makes the ids of traces and spans, out of a pool of random bytes: no request waits for the generator. */
export class RandomIds {
  readonly #fill: (bytes: Buffer) => void;
  readonly #bytes = Buffer.alloc(POOL);
  #digits = '';
  #at = 0;

  /** @param fill makes all bytes random; the system's generator by default */
  constructor(fill: (bytes: Buffer) => void = randomFillSync) {
    this.#fill = fill;
  }

  /** 32 hexadecimal digits; neither half is all zeros, since some look at one of them alone. */
  trace(): string {
    return this.#take(TRACE_DIGITS);
  }

  /** 16 hexadecimal digits, not all of them zero. */
  span(): string {
    return this.#take(SPAN_DIGITS);
  }

  #take(length: number): string {
    for (;;) {
      if (this.#at + length > this.#digits.length) {
        this.#fill(this.#bytes);
        this.#digits = this.#bytes.toString('hex');
        this.#at = 0;
      }
      const id = this.#digits.slice(this.#at, this.#at + length);
      this.#at += length;
      if (!id.startsWith(NO_SPAN) && !id.endsWith(NO_SPAN)) return id;
    }
  }
}
