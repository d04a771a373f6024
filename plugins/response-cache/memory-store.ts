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

type Varies = readonly (readonly string[])[];

const NO_VARIES: Varies = [];
/** Of nearly all resources. */
const PLAIN: Varies = [[]];

/** The responses of one URL; a map only where there are several. */
class MemoryResource implements Resource {
  readonly key: string;
  varies = NO_VARIES;
  #only: StoredResponse | undefined = undefined;
  #many: Map<string, StoredResponse> | undefined = undefined;

  constructor(key: string) {
    this.key = key;
  }

  get(variant: string): StoredResponse | undefined {
    if (this.#many !== undefined) return this.#many.get(variant);
    return this.#only?.variant === variant ? this.#only : undefined;
  }

  responses(): Iterable<StoredResponse> {
    if (this.#many !== undefined) return [...this.#many.values()];
    return this.#only === undefined ? [] : [this.#only];
  }

  set(response: StoredResponse): void {
    const { vary } = response.reuse;
    if (this.varies === NO_VARIES) this.varies = vary.length === 0 ? PLAIN : [vary];
    else if (!this.varies.some((known) => sameNames(known, vary)))
      this.varies = [vary, ...this.varies].slice(0, MOST_VARIES);
    if (this.#many !== undefined) {
      this.#many.set(response.variant, response);
    } else if (this.#only === undefined || this.#only.variant === response.variant) {
      this.#only = response;
    } else {
      this.#many = new Map([
        [this.#only.variant, this.#only],
        [response.variant, response],
      ]);
      this.#only = undefined;
    }
  }

  /** @returns whether nothing is left */
  delete(response: StoredResponse): boolean {
    if (this.#many !== undefined) {
      if (this.#many.get(response.variant) === response) this.#many.delete(response.variant);
      return this.#many.size === 0;
    }
    if (this.#only === response) this.#only = undefined;
    return this.#only === undefined;
  }
}

/** Keeps responses in the memory of the process; those not used for the longest time go first. */
export class MemoryStore implements ResponseStore {
  readonly #resources = new Map<string, MemoryResource>();
  readonly #tagged = new Map<string, Set<StoredResponse>>();
  readonly #recent: LRUCache<StoredResponse, StoredResponse>;
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
    this.#recent.get(response);
  }

  put(response: StoredResponse): void {
    const before = this.#resources.get(response.key)?.get(response.variant);
    if (before !== undefined) this.#recent.delete(before);
    if (response.size > this.#recent.maxSize) return;
    this.#recent.set(response, response);
    this.#bodies.add(response.body);
    let resource = this.#resources.get(response.key);
    if (resource === undefined) {
      resource = new MemoryResource(response.key);
      this.#resources.set(response.key, resource);
    }
    resource.set(response);
    for (const tag of response.tags) {
      const tagged = this.#tagged.get(tag);
      if (tagged === undefined) this.#tagged.set(tag, new Set([response]));
      else tagged.add(response);
    }
  }

  remove(response: StoredResponse): void {
    this.#recent.delete(response);
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
    for (const response of responses) if (this.#recent.delete(response)) removed++;
    return removed;
  }

  #forget(response: StoredResponse): void {
    this.#bodies.remove(response.body);
    const resource = this.#resources.get(response.key);
    if (resource?.delete(response)) this.#resources.delete(response.key);
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
