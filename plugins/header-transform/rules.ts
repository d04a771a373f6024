import type { Mistake } from '../../core/index.js';
import { Template } from './template.js';

/** Field name to value, which may hold `${…}`. */
export type FieldValues = Readonly<Record<string, string>>;

/** What becomes of the fields of requests. */
export interface RequestOptions {
  readonly remove: readonly string[];
  /** Old name to new name. */
  readonly rename: FieldValues;
  readonly set: FieldValues;
  readonly add: FieldValues;
}

/** What becomes of the fields of responses. */
export interface ResponseOptions {
  readonly remove: readonly string[];
  readonly set: FieldValues;
  readonly add: FieldValues;
}

/** A field and the value that it is given. */
export interface FieldTemplate {
  readonly name: string;
  readonly template: Template;
}

/** RFC 9110 section 5.6.2. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Fields that say where a message ends or are for one connection only (RFC 9110 section 7.6.1, RFC 9112 section 6). */
const FRAMING = [
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Fields of requests that the gateway itself writes: a second one of the name would go beside its own. */
const WRITTEN_BY_GATEWAY = [
  'forwarded',
  'host',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-gateway-service',
  'x-gateway-timestamp',
  'x-real-ip',
  'x-request-id',
];

const REQUEST_UNTOUCHABLE: ReadonlySet<string> = new Set([...FRAMING, ...WRITTEN_BY_GATEWAY]);
const RESPONSE_UNTOUCHABLE: ReadonlySet<string> = new Set(FRAMING);

/** Checks the rules of one direction while it takes them apart, and keeps every mistake. */
export class RuleReader {
  readonly mistakes: Mistake[] = [];
  readonly #file: string;
  readonly #direction: 'request' | 'response';

  /** @param file where the rules stand, for messages */
  constructor(file: string, direction: 'request' | 'response') {
    this.#file = file;
    this.#direction = direction;
  }

  /** Fields with the values that they are given. */
  values(key: 'set' | 'add', fields: FieldValues): FieldTemplate[] {
    return Object.entries(fields).flatMap(([name, text]) => {
      const at = `${key}.${name}`;
      const parsed = Template.parse(text);
      if (!(parsed instanceof Template)) {
        this.mistakes.push({ file: this.#file, path: `${this.#direction}.${at}`, ...parsed });
        return [];
      }
      return this.#checkName(name, at) ? [{ name, template: parsed }] : [];
    });
  }

  /** Names of fields. */
  names(names: readonly string[]): string[] {
    return names.filter((name, position) => this.#checkName(name, `remove[${position}]`));
  }

  /** Old names with the new ones. */
  renames(fields: FieldValues): [string, string][] {
    return Object.entries(fields).filter(([from, to]) => {
      const good = this.#checkName(from, `rename.${from}`);
      return this.#checkName(to, `rename.${from}`) && good;
    });
  }

  #checkName(name: string, at: string): boolean {
    const path = `${this.#direction}.${at}`;
    const found = JSON.stringify(name);
    if (!FIELD_NAME.test(name)) {
      this.mistakes.push({ file: this.#file, path, found, expected: 'the name of a header field' });
      return false;
    }
    const untouchable = this.#direction === 'request' ? REQUEST_UNTOUCHABLE : RESPONSE_UNTOUCHABLE;
    if (untouchable.has(name.toLowerCase())) {
      const expected = "another field: this one is the gateway's own to write";
      this.mistakes.push({ file: this.#file, path, found, expected });
      return false;
    }
    return true;
  }
}
