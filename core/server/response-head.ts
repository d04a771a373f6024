import { STATUS_CODES } from 'node:http';

/** Statuses without a body: RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
export const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** What the head of a response says. */
export interface ResponseHead {
  readonly status: number;
  /** Names and values in turn, all of them well-formed. */
  readonly fields: readonly string[];
  /** Bytes of the body that follows. */
  readonly length: number;
  /** For how many milliseconds the connection is kept open without a request; 0 for any time. */
  readonly keepAlive: number;
}

enum Field {
  Other = 0,
  Date = 1,
  ContentLength = 2,
  /** Has a say in framing, or in what becomes of the connection. */
  OfTheConnection = 3,
}

const FIELDS: ReadonlyMap<string, Field> = new Map([
  ['date', Field.Date],
  ['content-length', Field.ContentLength],
  ['connection', Field.OfTheConnection],
  ['expect', Field.OfTheConnection],
  ['keep-alive', Field.OfTheConnection],
  ['trailer', Field.OfTheConnection],
  ['transfer-encoding', Field.OfTheConnection],
  ['upgrade', Field.OfTheConnection],
]);

/** The lengths of the names of {@link FIELDS}; most names are of another, and need no lower-casing. */
const LENGTHS = new Set(Array.from(FIELDS.keys(), (name) => name.length));

/**
 * The head of a response that leaves its connection open (RFC 9112 section 4), the same as Node.js writes it, but without
 * another look at each character of each field.
 *
 * @returns undefined for what is better left to Node.js: no `Date`, another length than that of the body, or a field that has
 *   a say in framing or in what becomes of the connection
 */
export function serialiseHead({ status, fields, length, keepAlive }: ResponseHead): string | undefined {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  let dated = false;
  let measured = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (LENGTHS.has(name.length)) {
      const field = FIELDS.get(name.toLowerCase());
      if (field === Field.OfTheConnection) return undefined;
      if (field === Field.Date) dated = true;
      if (field === Field.ContentLength) {
        if (measured || Number(value) !== length) return undefined;
        measured = true;
      }
    }
    head += `${name}: ${value}\r\n`;
  }
  if (!dated) return undefined;
  if (!measured) head += `Content-Length: ${length}\r\n`;
  head += 'Connection: keep-alive\r\n';
  if (keepAlive > 0) head += `Keep-Alive: timeout=${Math.floor(keepAlive / 1000)}\r\n`;
  return `${head}\r\n`;
}
