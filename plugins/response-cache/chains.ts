/** What stands in a {@link Chains}. */
export interface Linked<Item> {
  readonly key: string;
  /** Another one with the same key. */
  next: Item | undefined;
}

/** Items by key, where there is nearly always one for each, and now and then several: no list is made for one. */
export class Chains<Item extends Linked<Item>> {
  readonly #first = new Map<string, Item>();

  /** The one that came last; those before are its `next`. */
  first(key: string): Item | undefined {
    return this.#first.get(key);
  }

  /** The first of each key. */
  all(): Iterable<Item> {
    return this.#first.values();
  }

  add(item: Item): void {
    item.next = this.#first.get(item.key);
    this.#first.set(item.key, item);
  }

  /** Harmless for one that is not there. */
  remove(item: Item): void {
    const first = this.#first.get(item.key);
    if (first === item) {
      if (item.next === undefined) this.#first.delete(item.key);
      else this.#first.set(item.key, item.next);
      return;
    }
    for (let each = first; each !== undefined; each = each.next) {
      if (each.next === item) each.next = item.next;
    }
  }
}
