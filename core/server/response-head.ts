import { STATUS_CODES } from 'node:http';

/** Statuses without a body: RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
export const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** What the head of a response says. */
export interface ResponseHead {
  readonly status: number;
  /** The fields as {@link serialiseFields} has them. */
  readonly lines: string;
  /** For how many milliseconds the connection is kept open without a request; 0 for any time. */
  readonly keepAlive: number;
}

/** Fields that are sent again and again. */
export interface KeptHead {
  /** Names and values in turn, all of them well-formed. */
  readonly fields: readonly string[];
  /** The same as {@link serialiseFields} has them. */
  readonly lines: string | undefined;
  /** Bytes of the body that was kept with them. */
  readonly length: number;
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
 */
export function serialiseHead({ status, lines, keepAlive }: ResponseHead): string {
  const last = keepAlive > 0 ? `Keep-Alive: timeout=${Math.floor(keepAlive / 1000)}\r\n` : '';
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${lines}Connection: keep-alive\r\n${last}\r\n`;
}

/**
 * The lines of fields (RFC 9112 section 5), `Content-Length` among them.
 *
 * @param fields names and values in turn, all of them well-formed
 * @param length bytes of the body that follows
 * @returns undefined for what is better left to Node.js: no `Date`, another length than that of the body, or a field that has
 *   a say in framing or in what becomes of the connection
 */
export function serialiseFields(fields: readonly string[], length: number): string | undefined {
  let lines = '';
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
    lines += `${name}: ${value}\r\n`;
  }
  if (!dated) return undefined;
  return measured ? lines : `${lines}Content-Length: ${length}\r\n`;
}

/** The lines of fields of the gateway's own, none of which has a say in framing. */
export function serialiseOwn(fields: readonly string[]): string {
  let lines = '';
  for (let i = 0; i + 1 < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return lines;
}
