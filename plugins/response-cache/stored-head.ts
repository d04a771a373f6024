import { type KeptHead, serialiseFields } from '../../core/index.js';
import type { Validators } from './conditional.js';
import { FieldRole, fieldOf } from './field-roles.js';
import { parseHttpDate } from './http-date.js';

/** Fields that describe the body that is stored, and stay as they are when a 304 comes (RFC 9111 section 3.2). */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag']);

/** What is left out of a 304 (RFC 9110 section 15.4.5). */
const NOT_IN_304 = /^(?:content-(?!location)|accept-ranges$)/i;

/** Stands between names and values; no field has it (RFC 9110 section 5.5). */
const SEPARATOR = '\n';

/** The text that {@link StoredHead} reads. @param fields names and values in turn, all well-formed */
export function headText(fields: readonly string[]): string {
  return fields.join(SEPARATOR);
}

/** The head of a stored response, read for the first who uses it: most responses are never asked for again. */
export class StoredHead implements Validators, KeptHead {
  /** Names and values in turn, with `Date` and `Content-Length`, without `Age`. */
  readonly fields: readonly string[];
  readonly length: number;
  readonly date: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly modifiedAt: number | undefined;
  #notModified: KeptHead | undefined;
  #lines: string | undefined;
  #hasLines = false;

  /**
   * @param text see {@link headText}
   * @param length bytes of the body
   * @param date see {@link Validators}
   */
  constructor(text: string, length: number, date: number) {
    this.fields = text === '' ? [] : text.split(SEPARATOR);
    this.length = length;
    this.date = date;
    this.etag = firstOf(this.fields, 'etag');
    this.lastModified = firstOf(this.fields, 'last-modified');
    this.modifiedAt = this.lastModified === undefined ? undefined : parseHttpDate(this.lastModified, date);
  }

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
   * The fields, with those of a newer head in place of its own (RFC 9111 section 3.2).
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

function firstOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const each = fields[i] ?? '';
    if (each.length === name.length && each.toLowerCase() === name) return fields[i + 1];
  }
  return undefined;
}
