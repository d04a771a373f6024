import type { Validators } from './conditional.js';
import { FieldRole, roleOf } from './field-roles.js';
import { parseHttpDate } from './http-date.js';
import type { Reuse } from './policy.js';
import type { RequestWishes } from './request-wishes.js';
import type { ResponseFields } from './response-fields.js';

/** What a {@link StoredResponse} is made of. */
export interface StoredResponseInit {
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  /** Its head; belongs to the stored response afterwards. */
  readonly parsed: ResponseFields;
  readonly body: Buffer;
  readonly reuse: Reuse;
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

/** A response that was stored, with all that does not change from one use to the next worked out. Immutable. */
export class StoredResponse implements Validators {
  readonly key: string;
  readonly variant: string;
  readonly service: string;
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn, with `Date` and `Content-Length`, without `Age`. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  readonly reuse: Reuse;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly modifiedAt: number | undefined;
  readonly date: number;
  /** Under which it can be purged: `Surrogate-Key` and `Cache-Tag`. */
  readonly tags: readonly string[];
  /** Bytes that it takes in all. */
  readonly size: number;
  readonly arrivedAt: number;
  #notModified: readonly string[] | undefined;

  constructor(init: StoredResponseInit) {
    const { parsed, body } = init;
    this.key = init.key;
    this.variant = init.variant;
    this.service = init.service;
    this.status = init.status;
    this.statusText = init.statusText;
    this.body = body;
    this.reuse = init.reuse;
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
    this.fields = fields;
    this.tags = parsed.tags;
    let size = OVERHEAD + body.length + this.key.length + this.variant.length;
    for (let i = 0; i < fields.length; i++) size += (fields[i]?.length ?? 0) + FIELD_OVERHEAD / 2;
    for (const tag of this.tags) size += tag.length + FIELD_OVERHEAD;
    this.size = size;
  }

  /** Its age in milliseconds (RFC 9111 section 4.2.3). @param now on the clock's monotonic scale */
  age(now: number): number {
    return this.reuse.initialAge + Math.max(0, now - this.arrivedAt);
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

  /** The fields of a 304 in its place. */
  get notModifiedFields(): readonly string[] {
    if (this.#notModified === undefined) {
      const fields: string[] = [];
      for (let i = 0; i + 1 < this.fields.length; i += 2) {
        const name = this.fields[i] ?? '';
        if (NOT_IN_304.test(name)) continue;
        if (this.etag !== undefined && name.toLowerCase() === 'last-modified') continue;
        fields.push(name, this.fields[i + 1] ?? '');
      }
      this.#notModified = fields;
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
      const role = roleOf(name);
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
