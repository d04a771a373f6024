import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';
import type { Coding } from './codings.js';

/** What a client says of codings in its `Accept-Encoding`. */
export interface Acceptance {
  /** The coding to apply; undefined for none. */
  readonly best: Coding | undefined;
  /** Those that it can take. */
  readonly takes: ReadonlySet<Coding>;
}

/** Clients are of few kinds, and each sends the same field again and again. */
const MOST_REMEMBERED = 200;

/** The types know no `preferred`. */
interface EncodingNegotiator {
  encoding(available: readonly string[], options?: { preferred: readonly string[] }): string | undefined;
  encodings(available: readonly string[]): string[];
}

/** Reads `Accept-Encoding` (RFC 9110 section 12.5.3) with its weights. */
export class Negotiation {
  readonly #codings: readonly Coding[];
  readonly #known: readonly Coding[];
  readonly #remembered = new LRUCache<string, Acceptance>({ max: MOST_REMEMBERED });

  /**
   * @param codings those that may be applied, the preferred first
   * @param known those that can be taken off
   */
  constructor(codings: readonly Coding[], known: readonly Coding[]) {
    this.#codings = codings;
    this.#known = known;
  }

  /** @param field the value of the field; an absent one is a client that does not know of codings */
  read(field: string | undefined): Acceptance {
    const key = field ?? '';
    let acceptance = this.#remembered.get(key);
    if (acceptance === undefined) {
      acceptance = this.#negotiate(key);
      this.#remembered.set(key, acceptance);
    }
    return acceptance;
  }

  #negotiate(field: string): Acceptance {
    const negotiator: EncodingNegotiator = new Negotiator({ headers: { 'accept-encoding': field } });
    const available = [...this.#codings, 'identity'];
    const best = negotiator.encoding(available, { preferred: available });
    const taken = negotiator.encodings(this.#known);
    return {
      best: this.#codings.find((coding) => coding === best),
      takes: new Set(this.#known.filter((coding) => taken.includes(coding))),
    };
  }
}
