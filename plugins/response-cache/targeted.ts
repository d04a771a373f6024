import { type Directives, MOST_SECONDS } from './cache-control.js';

/**
 * Reads a targeted cache control field such as `CDN-Cache-Control` (RFC 9213 section 2.1): a dictionary of structured fields
 * (RFC 9651 section 3.2), strictly.
 *
 * @returns undefined when the field is malformed or empty, and is to be taken for absent
 */
export function parseTargeted(field: string): Directives | undefined {
  try {
    const members = new DictionaryReader(field).read();
    if (members.size === 0) return undefined;
    const directives = new Map<string, string>();
    for (const [name, value] of members) {
      // A type that the directive does not have makes it as if it were not there.
      if (SECONDS.has(name)) {
        if (typeof value === 'number' && Number.isInteger(value) && value >= 0)
          directives.set(name, String(Math.min(value, MOST_SECONDS)));
      } else if (value === true) {
        directives.set(name, '');
      } else if (typeof value === 'string') {
        directives.set(name, value);
      }
    }
    return directives;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const SECONDS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);

/** `undefined` for a value of another type than those that directives have. */
type Value = boolean | number | string | undefined;

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const NUMBER = /-?\d{1,15}(?:\.\d{1,3})?/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const TOKEN = /[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y;
const BYTES = /:[A-Za-z0-9+/]*={0,2}:/y;
const BOOLEAN = /\?[01]/y;
const DATE = /@-?\d{1,15}/y;
const SPACES = / */y;
const BLANKS = /[ \t]*/y;

/** Reads one dictionary; throws a SyntaxError for what is none. */
class DictionaryReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Map<string, Value> {
    const members = new Map<string, Value>();
    this.#take(SPACES);
    while (this.#at < this.#text.length) {
      const key = this.#expect(KEY);
      let value: Value = true;
      if (this.#skip('=')) value = this.#skip('(') ? this.#innerList() : this.#item();
      this.#parameters();
      members.delete(key);
      members.set(key, value);
      this.#take(BLANKS);
      if (this.#at === this.#text.length) break;
      if (!this.#skip(',')) throw new SyntaxError('Expected a comma');
      this.#take(BLANKS);
      if (this.#at === this.#text.length) throw new SyntaxError('A comma at the end');
    }
    return members;
  }

  #item(): Value {
    const number = this.#take(NUMBER);
    if (number !== undefined) {
      if (number.includes('.')) return undefined;
      return Number(number);
    }
    const text = this.#take(STRING);
    if (text !== undefined) return text.slice(1, -1).replace(/\\(.)/g, '$1');
    const boolean = this.#take(BOOLEAN);
    if (boolean !== undefined) return boolean === '?1';
    const token = this.#take(TOKEN);
    if (token !== undefined) return token;
    if (this.#take(BYTES) === undefined) this.#expect(DATE);
    return undefined;
  }

  #innerList(): undefined {
    for (;;) {
      this.#take(SPACES);
      if (this.#skip(')')) return undefined;
      this.#item();
      this.#parameters();
      if (this.#text[this.#at] !== ' ' && this.#text[this.#at] !== ')')
        throw new SyntaxError('Expected a space');
    }
  }

  #parameters(): void {
    while (this.#skip(';')) {
      this.#take(SPACES);
      this.#expect(KEY);
      if (this.#skip('=')) this.#item();
    }
  }

  #skip(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #expect(pattern: RegExp): string {
    const found = this.#take(pattern);
    if (found === undefined) throw new SyntaxError(`Malformed at ${this.#at}`);
    return found;
  }
}
