/** An upstream request whose response may be stored; a purge in the meantime takes that right away. */
export interface Fetch {
  readonly key: string;
  readonly service: string;
  voided: boolean;
  /** Another one for the same key. */
  next: Fetch | undefined;
}

/**
 * The upstream requests under way: what was asked for before a purge or an unsafe request must not be stored after it,
 * or it would come back for as long as it is fresh.
 */
export class Fetches {
  /** The first of each key; nearly always the only one. */
  readonly #underWay = new Map<string, Fetch>();

  begin(key: string, service: string): Fetch {
    const fetch = { key, service, voided: false, next: this.#underWay.get(key) };
    this.#underWay.set(key, fetch);
    return fetch;
  }

  end(fetch: Fetch): void {
    const first = this.#underWay.get(fetch.key);
    if (first === fetch) {
      if (fetch.next === undefined) this.#underWay.delete(fetch.key);
      else this.#underWay.set(fetch.key, fetch.next);
      return;
    }
    for (let each = first; each !== undefined; each = each.next) {
      if (each.next === fetch) each.next = fetch.next;
    }
  }

  voidKey(key: string): void {
    for (let each = this.#underWay.get(key); each !== undefined; each = each.next) each.voided = true;
  }

  voidWhere(matches: (fetch: Fetch) => boolean): void {
    for (const first of this.#underWay.values()) {
      for (let each: Fetch | undefined = first; each !== undefined; each = each.next) {
        if (matches(each)) each.voided = true;
      }
    }
  }
}
