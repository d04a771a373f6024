/** How the gateway can read a body of a media type. */
type BodyKind = 'json' | 'form' | 'text' | 'opaque';

/** A `Content-Type` (RFC 9110 section 8.3). */
export interface MediaType {
  /** Type and subtype in lower case, without parameters. */
  readonly essence: string;
  readonly kind: BodyKind;
  /** Whether its charset is UTF-8, or none is given. */
  readonly isUtf8: boolean;
}

const ESSENCE = /^[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Spellings that are remembered: clients use a handful. */
const MOST_REMEMBERED = 256;

/** Reads `Content-Type` fields, and remembers what it has read. */
export class MediaTypes {
  readonly #known = new Map<string, MediaType | undefined>();

  /** @returns undefined when it is malformed */
  read(field: string): MediaType | undefined {
    const known = this.#known.get(field);
    if (known !== undefined) return known;
    const parsed = parse(field);
    if (this.#known.size < MOST_REMEMBERED && field.length < 256) this.#known.set(field, parsed);
    return parsed;
  }
}

function parse(field: string): MediaType | undefined {
  const [type = '', ...parameters] = field.split(';');
  const essence = type.trim().toLowerCase();
  if (!ESSENCE.test(essence)) return undefined;
  const isUtf8 = parameters.every((parameter) => {
    const [name = '', value = ''] = parameter.split('=', 2);
    return (
      name.trim().toLowerCase() !== 'charset' || /^"?(?:utf-?8|us-ascii)"?$/.test(value.trim().toLowerCase())
    );
  });
  return { essence, kind: kindOf(essence), isUtf8 };
}

function kindOf(essence: string): BodyKind {
  if (essence === 'application/json' || essence === 'text/json' || essence.endsWith('+json')) return 'json';
  if (essence === 'application/x-www-form-urlencoded') return 'form';
  return essence.startsWith('text/') ? 'text' : 'opaque';
}

/** Whether a media type is in a range such as `text/*`, `application/*+json` or `*` + `/*`. */
export function inRange({ essence }: MediaType, range: string): boolean {
  const wanted = range.toLowerCase();
  if (wanted === '*/*' || wanted === essence) return true;
  const star = wanted.indexOf('*');
  return (
    star !== -1 &&
    essence.length >= wanted.length &&
    essence.startsWith(wanted.slice(0, star)) &&
    essence.endsWith(wanted.slice(star + 1))
  );
}
