import type { Exchange } from '../../core/index.js';

/** One `name=value` of a query or of a form. */
export interface Pair {
  /** Decoded. */
  readonly name: string;
  /** As it was sent. */
  readonly raw: string;
  /** Decoded; undefined when it is no valid percent-encoded UTF-8. */
  readonly value: string | undefined;
  /** The whole of it, as it was sent. */
  readonly source: string;
}

/** The parts of a request head that checks look at, each read when it is first asked for. */
export class RequestView {
  readonly exchange: Exchange;
  #query: readonly Pair[] | undefined;
  #cookies: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(exchange: Exchange) {
    this.exchange = exchange;
  }

  /** The path of the upstream request: what the service will see. */
  get upstreamPath(): string {
    return splitTarget(this.exchange.upstreamPath).path;
  }

  /** The query of the upstream request, without `?`. */
  get queryText(): string {
    return splitTarget(this.exchange.upstreamPath).query;
  }

  /** The parameters of the upstream request's query, in order. */
  get query(): readonly Pair[] {
    this.#query ??= parsePairs(this.queryText);
    return this.#query;
  }

  /** Forgets the query after the upstream path has been changed. */
  rereadQuery(): void {
    this.#query = undefined;
  }

  /** Every value of a header field that the upstream will get, as it was sent; several are not joined. */
  header(name: string): readonly string[] {
    const { req, upstreamHeaders } = this.exchange;
    if (upstreamHeaders?.has(name)) {
      const edited = upstreamHeaders.get(name);
      return edited === undefined ? [] : [edited];
    }
    const values: string[] = [];
    const raw = req.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const sent = raw[i] ?? '';
      if (sent.length === name.length && sent.toLowerCase() === name) values.push(raw[i + 1] ?? '');
    }
    return values;
  }

  /** The header fields by lower-case name; several of a name joined by commas (RFC 9110 section 5.3). */
  headers(): Record<string, string> {
    const fields: Record<string, string> = Object.create(null);
    const { req, upstreamHeaders } = this.exchange;
    for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
      const name = (req.rawHeaders[i] ?? '').toLowerCase();
      const before = fields[name];
      const value = req.rawHeaders[i + 1] ?? '';
      fields[name] = before === undefined ? value : `${before}, ${value}`;
    }
    for (const [name, value] of upstreamHeaders ?? []) {
      if (value === undefined) delete fields[name];
      else fields[name] = value;
    }
    return fields;
  }

  /** The values of a cookie, as they were sent (RFC 6265 section 4.2). */
  cookie(name: string): readonly string[] {
    this.#cookies ??= parseCookies(this.header('cookie').join(';'));
    return this.#cookies.get(name) ?? [];
  }
}

function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark === -1
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Reads `a=1&b=2`, as forms send it; `+` is a space. */
export function parsePairs(text: string): Pair[] {
  const pairs: Pair[] = [];
  if (text === '') return pairs;
  for (const source of text.split('&')) {
    if (source === '') continue;
    const equals = source.indexOf('=');
    const name = equals === -1 ? source : source.slice(0, equals);
    const raw = equals === -1 ? '' : source.slice(equals + 1);
    const decodedName = decodeForm(name);
    // A name that cannot be decoded is kept as it is, and its value counts as malformed.
    pairs.push({
      name: decodedName ?? name,
      raw,
      value: decodedName === undefined ? undefined : decodeForm(raw),
      source,
    });
  }
  return pairs;
}

/** Percent-decodes a part of a query or a form; undefined when it is no valid UTF-8. */
export function decodeForm(text: string): string | undefined {
  return decodePercent(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

/** Percent-decodes (RFC 3986 section 2.1); undefined when it is no valid UTF-8. */
export function decodePercent(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Whether the name of a parameter would reach an object's prototype in a reader that nests `a[b]` and `a.b`. */
export function isPrototypeName(name: string): boolean {
  if (!name.includes('proto')) return false;
  const keys = name.split(/[[\].]+/);
  return (
    keys.includes('__proto__') ||
    keys.some((key, position) => key === 'constructor' && keys[position + 1] === 'prototype')
  );
}

function parseCookies(field: string): Map<string, string[]> {
  const cookies = new Map<string, string[]>();
  for (const part of field.split(';')) {
    const equals = part.indexOf('=');
    if (equals === -1) continue;
    const name = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    const list = cookies.get(name);
    const bare =
      value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
    if (list === undefined) cookies.set(name, [bare]);
    else list.push(bare);
  }
  return cookies;
}
