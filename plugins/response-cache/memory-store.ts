import { LRUCache } from 'lru-cache';
import { BodySlabs } from './body-slabs.js';
import type { Resource, ResponseStore } from './store.js';
import { StoredResponse } from './stored-response.js';

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
    const response = this.#responses.get(variant);
    response?.body.handOut();
    return response;
  }

  responses(): readonly StoredResponse[] {
    const responses = [...this.#responses.values()];
    for (const { body } of responses) body.handOut();
    return responses;
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
  /** By {@link StoredResponse.listedAs}: that of a URL which has one response alone is its key. */
  readonly #recent: LRUCache<string, StoredResponse>;
  readonly #several = new Map<string, SeveralResponses>();
  readonly #tagged = new Map<string, Set<StoredResponse>>();
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
    const found = this.#find(key);
    if (found instanceof StoredResponse) found.body.handOut();
    return found;
  }

  #find(key: string): StoredResponse | SeveralResponses | undefined {
    return (this.#several.size === 0 ? undefined : this.#several.get(key)) ?? this.#recent.peek(key);
  }

  touch(response: StoredResponse): void {
    this.#recent.get(response.listedAs);
  }

  put(response: StoredResponse): void {
    const { key, variant } = response;
    let others = this.#find(key);
    const before = others?.get(variant);
    if (before !== undefined) {
      this.remove(before);
      others = this.#find(key);
    }
    if (response.size > this.#recent.maxSize) return;
    if (others === undefined) response.listedAs = key;
    else this.#listBeside(others, response);
    this.#recent.set(response.listedAs, response);
    this.#bodies.add(response.body);
    for (const tag of response.tags) {
      const tagged = this.#tagged.get(tag);
      if (tagged === undefined) this.#tagged.set(tag, new Set([response]));
      else tagged.add(response);
    }
  }

  remove(response: StoredResponse): void {
    if (this.#recent.peek(response.listedAs) === response) this.#recent.delete(response.listedAs);
  }

  removeKey(key: string): number {
    const resource = this.#find(key);
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

  #removeAll(responses: readonly StoredResponse[]): number {
    for (const response of responses) this.#recent.delete(response.listedAs);
    return responses.length;
  }

  #listBeside(others: StoredResponse | SeveralResponses, response: StoredResponse): void {
    const { key, variant } = response;
    // The one that was there first may be gone.
    response.listedAs = this.#recent.has(key) ? `${key}\n${variant}` : key;
    const several = others instanceof SeveralResponses ? others : new SeveralResponses(others);
    several.set(response);
    this.#several.set(key, several);
  }

  #forget(response: StoredResponse): void {
    this.#bodies.remove(response.body);
    const { key } = response;
    if (this.#several.size > 0 && this.#several.get(key)?.delete(response) === true)
      this.#several.delete(key);
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
