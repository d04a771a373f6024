import { Chains, type Linked } from './chains.js';

/** An upstream request whose response may be stored; a purge in the meantime takes that right away. */
export interface Fetch extends Linked<Fetch> {
  readonly service: string;
  voided: boolean;
}

/**
 * The upstream requests under way: what was asked for before a purge or an unsafe request must not be stored after it,
 * or it would come back for as long as it is fresh.
 */
export class Fetches {
  readonly #underWay = new Chains<Fetch>();

  begin(key: string, service: string): Fetch {
    const fetch: Fetch = { key, service, voided: false, next: undefined };
    this.#underWay.add(fetch);
    return fetch;
  }

  end(fetch: Fetch): void {
    this.#underWay.remove(fetch);
  }

  voidKey(key: string): void {
    for (let each = this.#underWay.first(key); each !== undefined; each = each.next) each.voided = true;
  }

  voidWhere(matches: (fetch: Fetch) => boolean): void {
    for (const first of this.#underWay.all()) {
      for (let each: Fetch | undefined = first; each !== undefined; each = each.next) {
        if (matches(each)) each.voided = true;
      }
    }
  }
}
