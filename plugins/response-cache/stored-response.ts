import { type KeptHead, serialiseFields } from '../../core/index.js';
import { MOST_IN_SLAB, MOST_WASTE } from './body-slabs.js';
import type { Validators } from './conditional.js';
import { FieldRole, fieldOf } from './field-roles.js';
import { parseHttpDate } from './http-date.js';
import type { Reuse } from './policy.js';
import type { RequestWishes } from './request-wishes.js';
import type { ResponseFields } from './response-fields.js';
import type { Resource } from './store.js';
import type { StoredBody } from './stored-body.js';

/** What a {@link StoredResponse} is made of. */
export interface StoredResponseInit {
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  /** Its head; belongs to the stored response afterwards. */
  readonly parsed: ResponseFields;
  readonly body: StoredBody;
  readonly reuse: Reuse;
  /** See {@link StoredResponse.initialAge}. */
  readonly initialAge: number;
  /** When its head came, on the clock's monotonic scale and since the epoch, in milliseconds. */
  readonly arrivedAt: number;
  readonly arrivedOn: number;
}

/** What an entry takes beside its texts and bytes, as measured: objects, maps, the place in the list. */
const OVERHEAD = 1100;
/** What a header field takes beside its characters. */
const FIELD_OVERHEAD = 48;

/** Fields that describe the body that is stored, and stay as they are when a 304 comes (RFC 9111 section 3.2). */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag']);

/** What is left out of a 304 (RFC 9110 section 15.4.5). */
const NOT_IN_304 = /^(?:content-(?!location)|accept-ranges$)/i;

/** Of nearly all responses. */
const PLAIN: readonly (readonly string[])[] = [[]];

/**
 * A response that was stored, with all that does not change from one use to the next worked out; by itself all that there is for
 * its URL, unless there are several. Does not change, but for its number.
 */
export class StoredResponse implements Validators, KeptHead, Resource {
  /** Its number in a store, which gives it. */
  id = 0;
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn, with `Date` and `Content-Length`, without `Age`. */
  readonly fields: readonly string[];
  readonly body: StoredBody;
  readonly reuse: Reuse;
  /** Its age when it came, in milliseconds (RFC 9111 section 4.2.3). */
  readonly initialAge: number;
  readonly varies: readonly (readonly string[])[];
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly modifiedAt: number | undefined;
  readonly date: number;
  /** Under which it can be purged: `Surrogate-Key` and `Cache-Tag`. */
  readonly tags: readonly string[];
  /** Bytes that it takes in all. */
  readonly size: number;
  readonly arrivedAt: number;
  #notModified: KeptHead | undefined;
  #lines: string | undefined;
  #hasLines = false;

  constructor(init: StoredResponseInit) {
    const { parsed, body } = init;
    this.key = init.key;
    this.variant = init.variant;
    this.service = init.service;
    this.status = init.status;
    this.statusText = init.statusText;
    this.body = body;
    this.reuse = init.reuse;
    this.initialAge = init.initialAge;
    this.varies = init.reuse.vary.length === 0 ? PLAIN : [init.reuse.vary];
    this.etag = parsed.etag;
    this.lastModified = parsed.lastModified;
    this.modifiedAt =
      parsed.lastModified === undefined ? undefined : parseHttpDate(parsed.lastModified, init.arrivedOn);
    this.date = parsed.madeAt(init.arrivedOn);
    this.arrivedAt = init.arrivedAt;
    const { omitted } = init.reuse;
    const fields = omitted.length === 0 ? parsed.storable : without(parsed.storable, omitted);
    // RFC 9110 section 6.6.1: who stores a response without a date gives it one.
    if (parsed.date === undefined) fields.push('Date', new Date(init.arrivedOn).toUTCString());
    if (init.status !== 204) fields.push('Content-Length', String(body.length));
    // A copy has no room for more.
    this.fields = fields.slice();
    this.tags = parsed.tags;
    let size = OVERHEAD + this.key.length + this.variant.length;
    size += body.length > MOST_IN_SLAB ? body.length : Math.ceil(body.length * (1 + MOST_WASTE));
    // Twice: as texts of their own, and as the lines that they are sent as.
    for (let i = 0; i < fields.length; i++) size += 2 * (fields[i]?.length ?? 0) + FIELD_OVERHEAD / 2;
    for (const tag of this.tags) size += tag.length + FIELD_OVERHEAD;
    this.size = size;
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

  get length(): number {
    return this.body.length;
  }

  get(variant: string): this | undefined {
    return variant === this.variant ? this : undefined;
  }

  responses(): readonly StoredResponse[] {
    return [this];
  }

  /** Made for the first hit: most responses never have one. */
  get lines(): string | undefined {
    if (!this.#hasLines) {
      this.#hasLines = true;
      const lines = serialiseFields(this.fields, this.length);
      // A text that was put together is many until it is made one; each hit would do that anew.
      this.#lines = lines === undefined ? undefined : Buffer.from(lines, 'latin1').toString('latin1');
    }
    return this.#lines;
  }

  /** The head of a 304 in its place, but for the status. */
  get notModified(): KeptHead {
    if (this.#notModified === undefined) {
      const fields: string[] = [];
      for (let i = 0; i + 1 < this.fields.length; i += 2) {
        const name = this.fields[i] ?? '';
        if (NOT_IN_304.test(name)) continue;
        if (this.etag !== undefined && name.toLowerCase() === 'last-modified') continue;
        fields.push(name, this.fields[i + 1] ?? '');
      }
      this.#notModified = { fields, lines: undefined, length: 0 };
    }
    return this.#notModified;
  }

  /**
   * Its head with the fields of a newer one in place of its own (RFC 9111 section 3.2).
   *
   * @param cookies whether `Set-Cookie` is among them
   */
  updatedFields(newer: readonly string[], cookies: boolean): string[] {
    const replaced = new Set<string>();
    const taken: string[] = [];
    for (let i = 0; i + 1 < newer.length; i += 2) {
      const name = (newer[i] ?? '').toLowerCase();
      const { role } = fieldOf(name);
      if (OF_THE_BODY.has(name) || role >= FieldRole.NotStored) continue;
      if (role === FieldRole.SetCookie && !cookies) continue;
      replaced.add(name);
      taken.push(newer[i] ?? '', newer[i + 1] ?? '');
    }
    const fields: string[] = [];
    for (let i = 0; i + 1 < this.fields.length; i += 2) {
      const name = this.fields[i] ?? '';
      if (!replaced.has(name.toLowerCase())) fields.push(name, this.fields[i + 1] ?? '');
    }
    fields.push(...taken);
    return fields;
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
