import type { Exchange } from '../../core/index.js';
import { partitionOf, resourceKey, upstreamField, variantKey } from './request-key.js';
import type { ResponseStore } from './store.js';
import type { StoredResponse } from './stored-response.js';

/** What a request looks for in the store, and what of it decides whether its response may be stored. */
export class Lookup {
  readonly exchange: Exchange;
  readonly key: string;
  /** Whom a response is kept for that is not public; empty where nobody is authenticated. */
  readonly partition: string;
  /** The upstream gets an `Authorization` field. */
  readonly authorization: boolean;
  /** The upstream gets a `Cookie` field. */
  readonly cookie: boolean;
  readonly #identity: boolean;
  readonly #origin: string;
  /** The fields that the responses known for the key vary by. */
  #vary = NONE;
  /** Whether responses to other requests for the same URL are stored. */
  isKnown = false;
  #sharedVariant: string | undefined = undefined;
  #plain: string | undefined = undefined;

  /**
   * @param origin see {@link OriginReader}
   * @param identity whether the upstream is to be asked for bodies as they are: responses are compressed outside
   */
  constructor(exchange: Exchange, origin: string, identity: boolean) {
    this.exchange = exchange;
    this.#identity = identity;
    this.#origin = origin;
    this.key = resourceKey(exchange);
    this.partition = exchange.consumer === undefined ? '' : partitionOf(exchange);
    if (exchange.upstreamHeaders !== undefined) {
      this.authorization = upstreamField(exchange, 'authorization') !== undefined;
      this.cookie = upstreamField(exchange, 'cookie') !== undefined;
    } else {
      const { headers } = exchange.req;
      this.authorization = headers.authorization !== undefined;
      this.cookie = headers.cookie !== undefined;
    }
  }

  /** Makes the upstream's request what it is to be; most hits have no need of it. */
  prepare(): void {
    // One stored body serves all clients then, whatever encodings they take.
    if (this.#identity) this.exchange.setUpstreamHeader('accept-encoding', 'identity');
  }

  /** What requests for the same key have in common that can wait for one response, as far as is known. */
  get sharedVariant(): string {
    if (this.#sharedVariant === undefined) {
      let variant = this.variant(this.partition, this.#vary);
      // What the upstream may know somebody by keeps a response from being for others.
      if (this.cookie) variant += '\ncookie';
      if (this.authorization) variant += '\nauthorization';
      this.#sharedVariant = variant;
    }
    return this.#sharedVariant;
  }

  /** The same with the key. */
  get sharedKey(): string {
    return `${this.key}\n${this.sharedVariant}`;
  }

  /** See {@link variantKey}. */
  variant(partition: string, vary: readonly string[]): string {
    if (vary.length > 0 || partition !== this.partition)
      return variantKey(this.exchange, this.#origin, partition, vary);
    this.#plain ??= variantKey(this.exchange, this.#origin, partition, NONE);
    return this.#plain;
  }

  get partitioned(): boolean {
    return this.partition !== '';
  }

  /** The stored response for this request, fresh or stale; the newest where several fit (RFC 9111 section 4.1). */
  find(store: ResponseStore): StoredResponse | undefined {
    const resource = store.find(this.key);
    this.isKnown = resource !== undefined;
    if (resource === undefined) return undefined;
    this.#vary = resource.varies[0] ?? NONE;
    this.#sharedVariant = undefined;
    let newest: StoredResponse | undefined;
    for (const vary of resource.varies) {
      if (vary.length > 0) this.prepare();
      let found = resource.get(this.variant(this.partition, vary));
      if (found !== undefined && this.#isMine(found)) newest = newer(newest, found);
      if (this.partition === '') continue;
      // What others made the gateway store is for all only where the upstream said so.
      found = resource.get(this.variant('', vary));
      if (found?.reuse.isPublic) newest = newer(newest, found);
    }
    return newest;
  }

  /** Of what nobody said that it is for all, nothing is given to those whom the upstream may know. */
  #isMine({ reuse }: StoredResponse): boolean {
    return !reuse.implicit || !(this.cookie || (this.authorization && this.partition === ''));
  }
}

const NONE: readonly string[] = [];

function newer(one: StoredResponse | undefined, other: StoredResponse): StoredResponse {
  // RFC 9111 section 4.1: one without Vary is what an upstream that forgets it at times made of another request.
  if (one !== undefined && (one.reuse.vary.length === 0) !== (other.reuse.vary.length === 0))
    return one.reuse.vary.length === 0 ? other : one;
  return one === undefined ||
    other.date > one.date ||
    (other.date === one.date && other.arrivedAt > one.arrivedAt)
    ? other
    : one;
}
