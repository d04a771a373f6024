import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';

/** Crockford's base 32: sorts like the numbers it stands for, and has no letters that look alike. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Ids that one process can make in a millisecond, which is far more than it can serve. */
const MOST_PER_MS = 1024 * 1024;

/**
 * Makes request ids: `req-`, the time in milliseconds, eight random characters of this process, and a counter. They sort
 * by time, and two gateways never make the same one.
 */
export class RequestIds {
  readonly #clock: Clock;
  readonly #instance: string;
  /** Every pair of characters: two look-ups make the text of the counter. */
  readonly #pairs: readonly string[];
  #at = -1;
  #prefix = '';
  #counter = 0;

  constructor(clock: Clock, random: (size: number) => Uint8Array = randomBytes) {
    this.#clock = clock;
    this.#instance = Array.from(random(8), (byte) => ALPHABET[byte & 31]).join('');
    this.#pairs = Array.from({ length: 1024 }, (_, value) => base32(value, 2));
  }

  next(): string {
    const now = this.#clock.now();
    if (now !== this.#at) {
      this.#at = now;
      this.#prefix = `req-${base32(now, 10)}${this.#instance}`;
    }
    const counter = this.#counter;
    this.#counter = (counter + 1) % MOST_PER_MS;
    return `${this.#prefix}${this.#pairs[counter >> 10]}${this.#pairs[counter & 1023]}`;
  }
}

function base32(value: number, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) {
    text = (ALPHABET[rest % 32] ?? '0') + text;
  }
  return text;
}

/** Whether a request id from a trusted peer is fit to be taken over: 1 to 128 visible ASCII characters. */
export function isRequestId(text: string): boolean {
  if (text.length === 0 || text.length > 128) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return false;
  }
  return true;
}
