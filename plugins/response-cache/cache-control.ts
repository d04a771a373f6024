/**
 * Cache directives by name in lower case. A directive without an argument, or with an empty one, has `''`; names of header
 * fields (`private="a, b"`) come as they were written, without the quotes.
 */
export type Directives = ReadonlyMap<string, string>;

/** The most seconds that anything counts for (RFC 9111 section 1.2.2). */
export const MOST_SECONDS = 2 ** 31;

const NO_DIRECTIVES: Directives = new Map();

/**
 * Reads a `Cache-Control` field (RFC 9111 section 5.2); several lines are to be joined with commas. What is no directive is
 * passed over. Of directives that occur twice the first counts (section 4.2.1), but for `private` and `no-cache`: there
 * the names add up, and one without names is about everything.
 */
export function parseCacheControl(field: string): Directives {
  if (field === '') return NO_DIRECTIVES;
  const directives = new Map<string, string>();
  let at = 0;
  while (at < field.length) {
    const end = nextComma(field, at);
    add(directives, field.slice(at, end).trim());
    at = end + 1;
  }
  return directives;
}

/** Fields that a {@link DirectiveReader} remembers. */
const MOST_REMEMBERED = 256;

/** Reads `Cache-Control` fields, of which an upstream has few different ones, and remembers them. */
export class DirectiveReader {
  readonly #known = new Map<string, Directives>();

  readonly read = (field: string): Directives => {
    const known = this.#known.get(field);
    if (known !== undefined) return known;
    const directives = parseCacheControl(field);
    if (this.#known.size < MOST_REMEMBERED) this.#known.set(field, directives);
    return directives;
  };
}

/** Where the list member that begins at `from` ends; commas in quoted strings do not end it. */
function nextComma(field: string, from: number): number {
  let quoted = false;
  for (let i = from; i < field.length; i++) {
    const char = field[i];
    if (char === '"') quoted = !quoted;
    else if (char === '\\' && quoted) i++;
    else if (char === ',' && !quoted) return i;
  }
  return field.length;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

function add(directives: Map<string, string>, member: string): void {
  const equals = member.indexOf('=');
  const name = (equals === -1 ? member : member.slice(0, equals)).toLowerCase();
  if (!TOKEN.test(name)) return;
  const value = equals === -1 ? '' : unquoted(member.slice(equals + 1));
  const before = directives.get(name);
  if (before === undefined) directives.set(name, value);
  else if (name === 'private' || name === 'no-cache')
    directives.set(name, before === '' || value === '' ? '' : `${before}, ${value}`);
}

function unquoted(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

/**
 * The seconds of a directive (RFC 9111 section 1.2.2).
 *
 * @returns undefined when the directive is absent; 0 for what is no number, which makes a response stale (section 4.2.1)
 */
export function seconds(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined ? undefined : (deltaSeconds(value) ?? 0);
}

/** A non-negative integer, at most {@link MOST_SECONDS}; undefined for anything else. */
export function deltaSeconds(text: string): number | undefined {
  return /^\d+$/.test(text) ? Math.min(Number(text), MOST_SECONDS) : undefined;
}

/** The field names in the argument of `private` or `no-cache`, in lower case. */
export function fieldNames(argument: string): string[] {
  return argument
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
