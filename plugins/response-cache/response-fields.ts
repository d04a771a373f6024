import { FieldRole, fieldOf } from './field-roles.js';
import { parseHttpDate } from './http-date.js';

/** What is remembered from one response to the next. */
export interface FieldMemory {
  /** See {@link parseHttpDate}. */
  readonly parseDate: typeof parseHttpDate;
  /** See `TextPool`. */
  readonly same: (text: string) => string;
}

/** What a cache looks at in a response head; the values of several lines are joined with commas unless it says otherwise. */
export class ResponseFields {
  /** The fields that may be stored, names and values in turn, as they came. */
  readonly storable: string[] = [];
  cacheControl = '';
  /** The targeted fields that were asked for, by name in lower case. */
  targeted: Map<string, string> | undefined = undefined;
  pragma = '';
  vary = '';
  contentEncoding = '';
  /** The first line of each that follows. */
  expires: string | undefined = undefined;
  date: string | undefined = undefined;
  age: string | undefined = undefined;
  etag: string | undefined = undefined;
  lastModified: string | undefined = undefined;
  contentType: string | undefined = undefined;
  contentLength: string | undefined = undefined;
  allowOrigin: string | undefined = undefined;
  location: string | undefined = undefined;
  contentLocation: string | undefined = undefined;
  setsCookie = false;
  /** Under which the response can be purged. */
  tags: readonly string[] = NO_TAGS;
  readonly #parseDate: typeof parseHttpDate;
  #madeAt: number | undefined = undefined;

  /**
   * @param fields names and values in turn
   * @param targets names of targeted cache control fields, in lower case
   * @param memory spares work and room where fields are the same again and again
   */
  constructor(fields: readonly string[], targets: readonly string[], memory?: FieldMemory) {
    this.#parseDate = memory?.parseDate ?? parseHttpDate;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const { name, role, hasFewValues } = fieldOf(fields[i] ?? '');
      const sent = fields[i + 1] ?? '';
      const value = hasFewValues && memory !== undefined ? memory.same(sent) : sent;
      if (role < FieldRole.NotStored) this.storable.push(name, value);
      if (role === FieldRole.Plain) this.#readTargeted(name, value, targets);
      else this.#read(role, value);
    }
  }

  /**
   * When the response was made (RFC 9110 section 6.6.1); when it came, where it does not say. Milliseconds since the
   * epoch.
   */
  madeAt(receivedAt: number): number {
    this.#madeAt ??=
      (this.date === undefined ? undefined : this.#parseDate(this.date, receivedAt)) ?? receivedAt;
    return this.#madeAt;
  }

  #read(role: FieldRole, value: string): void {
    switch (role) {
      case FieldRole.CacheControl:
        this.cacheControl = joined(this.cacheControl, value);
        break;
      case FieldRole.Pragma:
        this.pragma = joined(this.pragma, value);
        break;
      case FieldRole.Vary:
        this.vary = joined(this.vary, value);
        break;
      case FieldRole.ContentEncoding:
        this.contentEncoding = joined(this.contentEncoding, value);
        break;
      case FieldRole.Expires:
        this.expires ??= value;
        break;
      case FieldRole.Date:
        this.date ??= value;
        break;
      case FieldRole.Age:
        this.age ??= value;
        break;
      case FieldRole.ETag:
        this.etag ??= value;
        break;
      case FieldRole.LastModified:
        this.lastModified ??= value;
        break;
      case FieldRole.ContentType:
        this.contentType ??= value;
        break;
      case FieldRole.ContentLength:
        this.contentLength ??= value;
        break;
      case FieldRole.AllowOrigin:
        this.allowOrigin ??= value;
        break;
      case FieldRole.Location:
        this.location ??= value;
        break;
      case FieldRole.ContentLocation:
        this.contentLocation ??= value;
        break;
      case FieldRole.SetCookie:
        this.setsCookie = true;
        break;
      case FieldRole.SurrogateKey:
        this.tags = withTags(this.tags, value.split(/[ \t]+/));
        break;
      case FieldRole.CacheTag:
        this.tags = withTags(this.tags, value.split(','));
        break;
      default:
    }
  }

  #readTargeted(name: string, value: string, targets: readonly string[]): void {
    for (const target of targets) {
      if (target.length !== name.length || target !== name.toLowerCase()) continue;
      this.targeted ??= new Map();
      this.targeted.set(target, joined(this.targeted.get(target) ?? '', value));
    }
  }
}

const NO_TAGS: readonly string[] = [];

/** Most tags of one response; more are passed over. */
const MOST_TAGS = 256;

function withTags(tags: readonly string[], more: readonly string[]): readonly string[] {
  const all = new Set(tags);
  for (const tag of more) if (tag.trim() !== '' && all.size < MOST_TAGS) all.add(tag.trim());
  return [...all];
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}
