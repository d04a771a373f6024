import { MOST_IN_SLAB, MOST_WASTE } from './body-slabs.js';
import type { Reuse } from './policy.js';
import type { RequestWishes } from './request-wishes.js';
import type { ResponseFields } from './response-fields.js';
import type { Resource } from './store.js';
import { StoredBody } from './stored-body.js';
import { headText, StoredHead } from './stored-head.js';

/** What a {@link StoredResponse} is made of. */
export interface StoredResponseInit {
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  /** Its head; belongs to the stored response afterwards. */
  readonly parsed: ResponseFields;
  readonly reuse: Reuse;
  /** See {@link StoredResponse.initialAge}. */
  readonly initialAge: number;
  /** When its head came, on the clock's monotonic scale and since the epoch, in milliseconds. */
  readonly arrivedAt: number;
  readonly arrivedOn: number;
}

/** What an entry takes beside its texts and bytes, as measured: objects, maps, the place in the list. */
const OVERHEAD = 800;
/** What a header field takes beside its characters. */
const FIELD_OVERHEAD = 48;

/** Of nearly all responses. */
const PLAIN: readonly (readonly string[])[] = [[]];

/**
 * A response that was stored; by itself all that there is for its URL, unless there are several. Does not change, but for its
 * place in a store.
 */
export class StoredResponse implements Resource {
  /** What a store, which gives it, knows it by. */
  listedAs = '';
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  readonly body: StoredBody;
  readonly reuse: Reuse;
  /** Its age when it came, in milliseconds (RFC 9111 section 4.2.3). */
  readonly initialAge: number;
  readonly varies: readonly (readonly string[])[];
  /** When it was made, or came; milliseconds since the epoch. */
  readonly date: number;
  /** Under which it can be purged: `Surrogate-Key` and `Cache-Tag`. */
  readonly tags: readonly string[];
  /** Bytes that it takes in all. */
  readonly size: number;
  readonly arrivedAt: number;
  #head: StoredHead | undefined;

  /** @param content its bytes; a text, each byte one character; or the body of the response that this one is an update of */
  constructor(init: StoredResponseInit, content: Buffer | string | StoredBody) {
    const { parsed } = init;
    this.key = init.key;
    this.variant = init.variant;
    this.service = init.service;
    this.status = init.status;
    this.statusText = init.statusText;
    this.reuse = init.reuse;
    this.initialAge = init.initialAge;
    this.varies = init.reuse.vary.length === 0 ? PLAIN : [init.reuse.vary];
    this.date = parsed.madeAt(init.arrivedOn);
    this.arrivedAt = init.arrivedAt;
    this.tags = parsed.tags;
    const { omitted } = init.reuse;
    const fields = omitted.length === 0 ? parsed.storable : without(parsed.storable, omitted);
    // RFC 9110 section 6.6.1: who stores a response without a date gives it one.
    if (parsed.date === undefined) fields.push('Date', new Date(init.arrivedOn).toUTCString());
    if (init.status !== 204) fields.push('Content-Length', String(content.length));
    const head = headText(fields);
    if (content instanceof StoredBody) {
      this.body = content;
      this.#head = new StoredHead(head, content.length, this.date);
    } else {
      this.body = new StoredBody(content, head);
    }
    const { room } = this.body;
    let size = OVERHEAD + this.key.length + this.variant.length;
    size += room > MOST_IN_SLAB ? room : Math.ceil(room * (1 + MOST_WASTE));
    // Twice more, once it is used: as texts of their own, and as the lines that they are sent as.
    size += 2 * head.length + (fields.length / 2) * FIELD_OVERHEAD;
    for (const tag of this.tags) size += tag.length + FIELD_OVERHEAD;
    this.size = size;
  }

  get head(): StoredHead {
    this.#head ??= new StoredHead(this.body.head, this.body.length, this.date);
    return this.#head;
  }

  /** Its age in milliseconds (RFC 9111 section 4.2.3). @param now on the clock's monotonic scale */
  age(now: number): number {
    return this.initialAge + Math.max(0, now - this.arrivedAt);
  }

  /** For how many milliseconds it may be used as it is; negative once it is stale. */
  freshFor(now: number): number {
    return (this.reuse.alwaysValidate ? 0 : this.reuse.lifetime) - this.age(now);
  }

  /** Whether it may be used as it is, stale where the client takes that (RFC 9111 section 4.2). */
  serves(wishes: RequestWishes, now: number): boolean {
    if (this.reuse.alwaysValidate || wishes.noCache || this.age(now) > wishes.maxAge) return false;
    const left = this.freshFor(now);
    if (left > 0) return left >= wishes.minFresh;
    return !this.reuse.neverStale && wishes.minFresh === 0 && wishes.maxStale > 0 && -left <= wishes.maxStale;
  }

  get(variant: string): this | undefined {
    return variant === this.variant ? this : undefined;
  }

  responses(): readonly StoredResponse[] {
    return [this];
  }
}

function without(fields: readonly string[], omitted: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    if (!omitted.includes(name)) kept.push(fields[i] ?? '', fields[i + 1] ?? '');
  }
  return kept;
}
