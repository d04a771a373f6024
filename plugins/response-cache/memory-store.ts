import { LRUCache } from 'lru-cache';
import { BodySlabs } from './body-slabs.js';
import type { Resource, ResponseStore } from './store.js';
import type { StoredResponse } from './stored-response.js';

/** The bounds of a {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** Most bytes of all responses, heads and keys included. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Different `Vary` lists of one URL that are kept apart; an upstream has one, or two while it is being changed. */
const MOST_VARIES = 8;

/** The responses of a URL that has several; one that is alone is a resource by itself. */
class SeveralResponses implements Resource {
  readonly key: string;
  varies: readonly (readonly string[])[];
  readonly #responses: Map<string, StoredResponse>;

  constructor(first: StoredResponse) {
    this.key = first.key;
    this.varies = first.varies;
    this.#responses = new Map([[first.variant, first]]);
  }

  get(variant: string): StoredResponse | undefined {
    return this.#responses.get(variant);
  }

  responses(): readonly StoredResponse[] {
    return [...this.#responses.values()];
  }

  set(response: StoredResponse): void {
    const { vary } = response.reuse;
    if (!this.varies.some((known) => sameNames(known, vary)))
      this.varies = [vary, ...this.varies].slice(0, MOST_VARIES);
    this.#responses.set(response.variant, response);
  }

  /** @returns whether nothing is left */
  delete(response: StoredResponse): boolean {
    if (this.#responses.get(response.variant) === response) this.#responses.delete(response.variant);
    return this.#responses.size === 0;
  }
}

/** Keeps responses in the memory of the process; those not used for the longest time go first. */
export class MemoryStore implements ResponseStore {
  readonly #resources = new Map<string, StoredResponse | SeveralResponses>();
  readonly #tagged = new Map<string, Set<StoredResponse>>();
  /** By numbers, which cost a fraction of what objects or long texts do as keys. */
  readonly #recent: LRUCache<number, StoredResponse>;
  #latestId = 0;
  readonly #bodies: BodySlabs;
  #evictions = 0;

  constructor(options: MemoryStoreOptions) {
    this.#bodies = new BodySlabs(options.maxBytes);
    this.#recent = new LRUCache({
      max: options.maxEntries,
      maxSize: options.maxBytes,
      sizeCalculation: (response) => response.size,
      dispose: (response, _, reason) => {
        if (reason === 'evict') this.#evictions++;
        this.#forget(response);
      },
    });
  }

  get entries(): number {
    return this.#recent.size;
  }

  get bytes(): number {
    return this.#recent.calculatedSize;
  }

  get evictions(): number {
    return this.#evictions;
  }

  find(key: string): Resource | undefined {
    return this.#resources.get(key);
  }

  touch(response: StoredResponse): void {
    this.#recent.get(response.id);
  }

  put(response: StoredResponse): void {
    const before = this.#resources.get(response.key)?.get(response.variant);
    if (before !== undefined) this.#recent.delete(before.id);
    if (response.size > this.#recent.maxSize) return;
    this.#latestId += 1;
    response.id = this.#latestId;
    this.#recent.set(response.id, response);
    this.#bodies.add(response.body);
    this.#list(response);
    for (const tag of response.tags) {
      const tagged = this.#tagged.get(tag);
      if (tagged === undefined) this.#tagged.set(tag, new Set([response]));
      else tagged.add(response);
    }
  }

  remove(response: StoredResponse): void {
    this.#recent.delete(response.id);
  }

  removeKey(key: string): number {
    const resource = this.#resources.get(key);
    return resource === undefined ? 0 : this.#removeAll(resource.responses());
  }

  removeTagged(tag: string): number {
    return this.#removeAll([...(this.#tagged.get(tag) ?? [])]);
  }

  removeWhere(matches: (response: StoredResponse) => boolean): number {
    return this.#removeAll([...this.#recent.values()].filter(matches));
  }

  clear(): number {
    const { size } = this.#recent;
    this.#recent.clear();
    return size;
  }

  #removeAll(responses: Iterable<StoredResponse>): number {
    let removed = 0;
    for (const response of responses) if (this.#recent.delete(response.id)) removed++;
    return removed;
  }

  #list(response: StoredResponse): void {
    const resource = this.#resources.get(response.key);
    if (resource === undefined) {
      this.#resources.set(response.key, response);
    } else if (resource instanceof SeveralResponses) {
      resource.set(response);
    } else {
      const several = new SeveralResponses(resource);
      several.set(response);
      this.#resources.set(response.key, several);
    }
  }

  #forget(response: StoredResponse): void {
    this.#bodies.remove(response.body);
    const resource = this.#resources.get(response.key);
    if (resource === response || (resource instanceof SeveralResponses && resource.delete(response)))
      this.#resources.delete(response.key);
    for (const tag of response.tags) {
      const tagged = this.#tagged.get(tag);
      tagged?.delete(response);
      if (tagged?.size === 0) this.#tagged.delete(tag);
    }
  }
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}
