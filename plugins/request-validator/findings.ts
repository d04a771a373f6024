import { GatewayError } from '../../core/index.js';

/** The part of a request that a fault is in. */
export type Place = 'body' | 'query' | 'path' | 'header' | 'cookie';

/** One fault, as the client is told it. Never holds a value of the request. */
export interface Finding {
  readonly in: Place;
  /** JSON pointer (RFC 6901) to what is wrong; empty for the whole. */
  readonly path: string;
  /** What was expected. */
  readonly message: string;
  /** The keyword of the schema, or the rule, that is broken. */
  readonly keyword: string;
}

/** Most faults that are listed; the others are counted. */
const MOST_LISTED = 50;
const LONGEST_PATH = 256;
const LONGEST_MESSAGE = 300;

/** The faults of one request, up to a bound. */
export class Findings {
  readonly #listed: Finding[] = [];
  #count = 0;
  /** Whether there may be faults that were not looked for. */
  #partial = false;

  get count(): number {
    return this.#count;
  }

  add(place: Place, path: string, message: string, keyword: string): void {
    this.#count++;
    if (this.#listed.length >= MOST_LISTED) return;
    this.#listed.push({
      in: place,
      path: shorten(path, LONGEST_PATH),
      message: shorten(message, LONGEST_MESSAGE),
      keyword,
    });
  }

  /** Says that the search ended with the first fault of its kind. */
  markPartial(): void {
    this.#partial = true;
  }

  /** @throws GatewayError BAD_REQUEST with all faults, if there is one */
  raise(): void {
    if (this.#count === 0) return;
    throw new GatewayError('BAD_REQUEST', { message: this.#message(), details: this.#listed });
  }

  #message(): string {
    const faults = `${this.#partial ? 'at least ' : ''}${this.#count} ${this.#count === 1 ? 'fault' : 'faults'}`;
    const more = this.#count - this.#listed.length;
    return `The request is not valid: ${faults}${more > 0 ? `, of which ${more} are not listed` : ''}`;
  }
}

/** Cuts text that a client or a schema may have made long. */
function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** The JSON pointer of a key below another one. */
export function pointerTo(parent: string, key: string | number): string {
  return `${parent}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
