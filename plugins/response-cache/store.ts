import type { StoredResponse } from './stored-response.js';

/** The responses of one URL. */
export interface Resource {
  readonly key: string;
  /** The different lists of request fields that its responses are selected by. */
  readonly varies: readonly (readonly string[])[];
  get(variant: string): StoredResponse | undefined;
  responses(): readonly StoredResponse[];
}

/**
 * Where responses are kept. A look-up answers at once: a store that is shared over the network keeps what is in use in
 * memory, and fills that in the background.
 */
export interface ResponseStore {
  /** Responses that are kept. */
  readonly entries: number;
  /** Bytes that they take. */
  readonly bytes: number;
  /** Responses that had to go for others. */
  readonly evictions: number;
  find(key: string): Resource | undefined;
  /** Notes that a response was used. */
  touch(response: StoredResponse): void;
  /**
   * Keeps a response, in place of the one for the same variant; one that is too large is not kept. It belongs to the store
   * afterwards: who wants to use it has to find it.
   */
  put(response: StoredResponse): void;
  remove(response: StoredResponse): void;
  /** Removes all responses of a URL. @returns how many */
  removeKey(key: string): number;
  removeTagged(tag: string): number;
  /** @param matches is asked of every response */
  removeWhere(matches: (response: StoredResponse) => boolean): number;
  clear(): number;
}
