import { pointerTo } from './findings.js';

/** What is looked for in JSON text. */
export interface ScanRules {
  /** How deep objects and lists may be nested. */
  readonly maxDepth: number;
  readonly duplicateKeys: boolean;
  readonly prototypeKeys: boolean;
  /** Look for numbers that would not be the same when they are written anew. */
  readonly inexactNumbers: boolean;
}

export type ScanKeyword = 'maxDepth' | 'duplicateKeys' | 'prototypeKeys' | 'inexactNumber';

/** What was found in JSON text. */
export interface Scan {
  readonly faults: readonly { readonly keyword: ScanKeyword; readonly path: string }[];
  /** Whether there are more faults than were located. */
  readonly isPartial: boolean;
  /** No fewer than the values in the text, keys apart. */
  readonly values: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;
/** Most faults that are located: enough for the answer, however many there are. */
const MOST_FAULTS = 100;
/** Up to this many keys, looking through a list is cheaper than a set. */
const FEW_KEYS = 8;

/** An object or a list that is open. */
class Frame {
  isObject = false;
  /** The key, or the position in a list, that is being read. */
  key = '';
  position = 0;
  names: string[] = [];
  set: Set<string> | undefined;

  open(isObject: boolean): void {
    this.isObject = isObject;
    this.key = '';
    this.position = 0;
    this.names.length = 0;
    this.set = undefined;
  }

  /** @returns whether the key is there already */
  enter(key: string): boolean {
    if (this.set !== undefined) {
      if (this.set.has(key)) return true;
      this.set.add(key);
      return false;
    }
    if (this.names.includes(key)) return true;
    this.names.push(key);
    if (this.names.length > FEW_KEYS) this.set = new Set(this.names);
    return false;
  }
}

/**
 * Goes over JSON text once, before `JSON.parse` does: what is nested too deep costs nothing then, however deep it
 * is, and of duplicate keys `JSON.parse` keeps only the last. Says nothing about the grammar: text that `JSON.parse`
 * accepts is read as it reads it, and other text it refuses.
 */
export function scanJson(text: string, rules: ScanRules): Scan {
  return new Scanner(text, rules).run();
}

class Scanner {
  readonly #text: string;
  readonly #rules: ScanRules;
  readonly #frames: Frame[] = [];
  readonly #faults: { keyword: ScanKeyword; path: string }[] = [];
  #depth = 0;
  #values = 1;
  #isPartial = false;

  constructor(text: string, rules: ScanRules) {
    this.#text = text;
    this.#rules = rules;
  }

  run(): Scan {
    const text = this.#text;
    const { length } = text;
    const { inexactNumbers } = this.#rules;
    let frame: Frame | undefined;
    let expectsKey = false;
    let i = 0;
    scan: while (i < length) {
      const code = text.charCodeAt(i);
      switch (code) {
        case QUOTE: {
          const end = endOfString(text, i + 1);
          if (end === -1) break scan;
          if (expectsKey && frame !== undefined) {
            this.#key(frame, i + 1, end);
            expectsKey = false;
          }
          i = end;
          break;
        }
        case COMMA:
          this.#values++;
          if (frame?.isObject) expectsKey = true;
          else if (frame !== undefined) frame.position++;
          break;
        case 0x7b:
        case 0x5b:
          this.#values++;
          frame = this.#open(code === 0x7b);
          if (frame === undefined) break scan;
          expectsKey = frame.isObject;
          break;
        case 0x7d:
        case 0x5d:
          this.#depth--;
          if (this.#depth < 0) break scan;
          frame = this.#frames[this.#depth - 1];
          expectsKey = false;
          break;
        default:
          if (inexactNumbers && (code === MINUS || isDigit(code))) i = this.#number(i) - 1;
      }
      i++;
    }
    return { faults: this.#faults, isPartial: this.#isPartial, values: this.#values };
  }

  /** @returns undefined when it would be too deep */
  #open(isObject: boolean): Frame | undefined {
    if (this.#depth === this.#rules.maxDepth) {
      this.#report('maxDepth');
      return undefined;
    }
    let frame = this.#frames[this.#depth];
    if (frame === undefined) {
      frame = new Frame();
      this.#frames.push(frame);
    }
    frame.open(isObject);
    this.#depth++;
    return frame;
  }

  #key(frame: Frame, start: number, end: number): void {
    const key = readKey(this.#text.slice(start, end));
    frame.key = key;
    if (this.#rules.duplicateKeys && frame.enter(key)) this.#report('duplicateKeys');
    if (this.#rules.prototypeKeys && this.#leadsToPrototype(key)) this.#report('prototypeKeys');
  }

  #leadsToPrototype(key: string): boolean {
    if (key === '__proto__') return true;
    const outer = this.#frames[this.#depth - 2];
    return key === 'prototype' && outer?.isObject === true && outer.key === 'constructor';
  }

  /** @returns where the number ends */
  #number(start: number): number {
    let end = start + 1;
    while (end < this.#text.length && isNumberPart(this.#text.charCodeAt(end))) end++;
    // Up to 15 digits are always exact (IEEE 754 binary64), and four characters cannot overflow.
    if (end - start > 4 && !isKept(this.#text.slice(start, end))) this.#report('inexactNumber');
    return end;
  }

  #report(keyword: ScanKeyword): void {
    if (this.#faults.length >= MOST_FAULTS) {
      this.#isPartial = true;
      return;
    }
    let path = '';
    for (let i = 0; i < this.#depth; i++) {
      const frame = this.#frames[i];
      if (frame === undefined) break;
      path = pointerTo(path, frame.isObject ? frame.key : frame.position);
      // The answer has a bound for paths as well; keys are not to make this one quadratic.
      if (path.length > 512) break;
    }
    this.#faults.push({ keyword, path });
  }
}

/** Where the string that begins at `from` has its closing quote; -1 when it has none. */
function endOfString(text: string, from: number): number {
  const { length } = text;
  for (let end = from; end < length; end++) {
    const code = text.charCodeAt(end);
    if (code === QUOTE) return end;
    if (code === BACKSLASH) end++;
  }
  return -1;
}

/** A key as `JSON.parse` reads it: "\u0061" is "a". Escapes that it will refuse are left as they are. */
function readKey(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNumberPart(code: number): boolean {
  // '+', '-', '.', 'E' and 'e'
  return isDigit(code) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65;
}

/** Whether a number means the same after a double has held it; digits of a fraction beyond that are given up. */
function isKept(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return Number.isNaN(value);
  if (Number.isSafeInteger(value)) return true;
  return /[.eE]/.test(token) || BigInt(token) === BigInt(value);
}
