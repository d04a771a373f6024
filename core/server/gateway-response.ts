import { ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import { BODILESS, type KeptHead, serialiseFields, serialiseHead, serialiseOwn } from './response-head.js';

/** Fields that the upstream and the gateway may both have something to say about; all others exist once. */
const ADDITIVE = new Set(['set-cookie', 'vary', 'link', 'server-timing', 'via', 'cache-status', 'warning']);

type FieldValue = number | string | readonly string[];

/**
 * A server response that keeps its header fields in one flat array of names and values, the form in which the
 * upstream's head comes and in which Node.js writes it out fastest. It behaves like `ServerResponse` for everybody
 * who uses the documented methods, Koa and its middleware among them.
 */
export class GatewayResponse extends ServerResponse {
  /** Node's own: what it has serialised of the head, to be written with the first of what comes after; null before. */
  declare private _header: string | null;
  /** Node's own: the server's limit, in milliseconds. */
  declare private readonly _keepAliveTimeout: number | undefined;

  /** Names and values in turn; a repeated field stands here as often as it is sent. */
  #fields: string[] = [];
  /** Stands before those, until somebody looks at them. */
  #kept: KeptHead | undefined = undefined;

  /**
   * Takes over the upstream's header fields. What a plugin has set already wins over a field of the same name, but
   * for fields to which both may add (`Set-Cookie`, `Vary`, ...).
   *
   * @param fields names and values in turn; belongs to this response afterwards
   */
  adopt(fields: string[]): void {
    const own = this.#all();
    if (own.length === 0) {
      this.#fields = fields;
      return;
    }
    const before = own.length;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] ?? '';
      if (indexOf(own, name, before) === -1 || ADDITIVE.has(name.toLowerCase()))
        own.push(name, fields[i + 1] ?? '');
    }
  }

  /**
   * Takes over fields that were kept, with more of the gateway's own behind them. Where nobody looks at them afterwards,
   * they go out as the text that they were kept as.
   *
   * @param own names and values in turn, all well-formed; belongs to this response afterwards
   */
  adoptKept(head: KeptHead, own: string[]): void {
    if (head.lines === undefined || this.#all().length > 0) {
      this.adopt(head.fields.concat(own));
    } else {
      this.#kept = head;
      this.#fields = own;
    }
  }

  /** All fields, for whoever looks at them or changes them. */
  #all(): string[] {
    if (this.#kept !== undefined) {
      this.#fields = this.#kept.fields.concat(this.#fields);
      this.#kept = undefined;
    }
    return this.#fields;
  }

  /** The fields so far, names and values in turn; to be read at once, since it may change or be taken over. */
  get fields(): readonly string[] {
    return this.#all();
  }

  /** Sets fields whose names and values are known to be well-formed, without looking at each character. */
  put(fields: readonly string[]): void {
    const all = this.#all();
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] ?? '';
      if (indexOf(all, name, all.length) !== -1 && !ADDITIVE.has(name.toLowerCase())) this.#remove(name);
      all.push(name, fields[i + 1] ?? '');
    }
  }

  /** Goes back to these fields, for another answer than the one that was received; they belong to this response. */
  restore(fields: string[]): void {
    this.#kept = undefined;
    this.#fields = fields;
  }

  /**
   * Ends with a body that is there in full. Head and body go out as one text wherever nothing keeps from it, where Node.js
   * checks and copies the head field by field, and hands its socket three pieces.
   *
   * @param body each byte one character
   */
  endWith(body: string): void {
    const whole = this.#isPlain() ? this.#serialise(body.length) : undefined;
    if (whole === undefined) {
      this.end(body, 'latin1');
    } else {
      this._header = whole + body;
      this.end();
    }
  }

  /** Whether Node.js has no more to decide about this response, and nobody has wrapped what it is written with. */
  #isPlain(): boolean {
    return (
      this._header === null &&
      this.shouldKeepAlive &&
      this.statusCode >= 200 &&
      !BODILESS.has(this.statusCode) &&
      this.req.method !== 'HEAD' &&
      this.req.httpVersionMinor === 1 &&
      this.end === ServerResponse.prototype.end &&
      this.write === ServerResponse.prototype.write &&
      this.writeHead === GatewayResponse.prototype.writeHead
    );
  }

  #serialise(length: number): string | undefined {
    const { statusCode: status, statusMessage } = this;
    if (statusMessage !== undefined && statusMessage !== '' && statusMessage !== STATUS_CODES[status])
      return undefined;
    const kept = this.#kept?.length === length ? this.#kept.lines : undefined;
    const lines =
      kept === undefined ? serialiseFields(this.#all(), length) : kept + serialiseOwn(this.#fields);
    if (lines === undefined) return undefined;
    return serialiseHead({ status, lines, keepAlive: this._keepAliveTimeout ?? 0 });
  }

  override setHeader(name: string, value: FieldValue): this {
    if (this.headersSent) return super.setHeader(name, value);
    validateHeaderName(name);
    const fields = this.#all();
    const at = indexOf(fields, name, fields.length);
    if (at !== -1 && !Array.isArray(value) && indexOf(fields, name, fields.length, at + 2) === -1) {
      const text = String(value);
      validateHeaderValue(name, text);
      fields[at] = name;
      fields[at + 1] = text;
      return this;
    }
    if (at !== -1) this.#remove(name);
    return this.#append(name, value);
  }

  override appendHeader(name: string, value: string | readonly string[]): this {
    if (this.headersSent) return super.appendHeader(name, value);
    validateHeaderName(name);
    return this.#append(name, value);
  }

  override setHeaders(headers: Headers | Map<string, FieldValue>): this {
    for (const [name, value] of headers) this.setHeader(name, value);
    return this;
  }

  override getHeader(name: string): string | string[] | undefined {
    const fields = this.#all();
    const at = indexOf(fields, name, fields.length);
    if (at === -1) return undefined;
    let again = indexOf(fields, name, fields.length, at + 2);
    if (again === -1) return fields[at + 1];
    const values = [fields[at + 1] ?? ''];
    for (; again !== -1; again = indexOf(fields, name, fields.length, again + 2))
      values.push(fields[again + 1] ?? '');
    return values;
  }

  override hasHeader(name: string): boolean {
    const fields = this.#all();
    return indexOf(fields, name, fields.length) !== -1;
  }

  override removeHeader(name: string): void {
    if (this.headersSent) super.removeHeader(name);
    else this.#remove(name);
  }

  override getHeaderNames(): string[] {
    return [...new Set(this.getRawHeaderNames().map((name) => name.toLowerCase()))];
  }

  // Not in the type declarations of every supported Node.js line, hence no `override`.
  getRawHeaderNames(): string[] {
    return this.#all().filter((_, index) => index % 2 === 0);
  }

  override getHeaders(): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = Object.create(null);
    for (const name of this.getHeaderNames()) headers[name] = this.getHeader(name) ?? '';
    return headers;
  }

  override writeHead(
    status: number,
    reasonOrFields?: string | Readonly<Record<string, unknown>> | readonly unknown[],
    fields?: Readonly<Record<string, unknown>> | readonly unknown[],
  ): this {
    const reason = typeof reasonOrFields === 'string' ? reasonOrFields : undefined;
    this.#merge(typeof reasonOrFields === 'string' ? fields : (reasonOrFields ?? fields));
    // Node.js refuses to write a head that announces trailers where none can follow.
    if (this.hasHeader('Trailer') && !this.#takesTrailers(status)) this.#remove('Trailer');
    return reason === undefined
      ? super.writeHead(status, this.#all())
      : super.writeHead(status, reason, this.#all());
  }

  /** Whether the body goes out in chunks, behind which alone trailers may stand (RFC 9112 section 7.1.2). */
  #takesTrailers(status: number): boolean {
    const { method, httpVersionMinor } = this.req;
    return (
      httpVersionMinor === 1 &&
      method !== 'HEAD' &&
      !BODILESS.has(status) &&
      !this.hasHeader('Content-Length')
    );
  }

  #merge(fields: Readonly<Record<string, unknown>> | readonly unknown[] | undefined): void {
    if (fields === undefined) return;
    const entries = Array.isArray(fields) ? pairs(fields) : Object.entries(fields);
    for (const [name, value] of entries) {
      if (value !== undefined) this.setHeader(name, Array.isArray(value) ? value.map(String) : String(value));
    }
  }

  #append(name: string, value: FieldValue): this {
    const fields = this.#all();
    if (typeof value === 'object') {
      for (const item of value) {
        validateHeaderValue(name, item);
        fields.push(name, item);
      }
    } else {
      const text = String(value);
      validateHeaderValue(name, text);
      fields.push(name, text);
    }
    return this;
  }

  #remove(name: string): void {
    const fields = this.#all();
    for (
      let at = indexOf(fields, name, fields.length);
      at !== -1;
      at = indexOf(fields, name, fields.length, at)
    ) {
      fields.splice(at, 2);
    }
  }
}

/** Where field `name` stands in `fields` between `from` and `end`, or -1. Names compare without regard to case. */
function indexOf(fields: readonly string[], name: string, end: number, from = 0): number {
  const length = name.length;
  let lower: string | undefined;
  for (let i = from; i < end; i += 2) {
    const candidate = fields[i] ?? '';
    if (candidate.length !== length) continue;
    if (candidate === name) return i;
    // Most others of this length differ in the first letter or the last already, in upper case or lower.
    if ((candidate.charCodeAt(0) | 0x20) !== (name.charCodeAt(0) | 0x20)) continue;
    if ((candidate.charCodeAt(length - 1) | 0x20) !== (name.charCodeAt(length - 1) | 0x20)) continue;
    lower ??= name.toLowerCase();
    if (candidate.toLowerCase() === lower) return i;
  }
  return -1;
}

function* pairs(flat: readonly unknown[]): Iterable<[string, unknown]> {
  for (let i = 0; i + 1 < flat.length; i += 2) yield [String(flat[i]), flat[i + 1]];
}
