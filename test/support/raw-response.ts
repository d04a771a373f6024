/** One response as it came over the wire. */
export interface RawResponse {
  /** `HTTP/1.1` */
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn (latin1). */
  readonly rawHeaders: readonly string[];
  /** How the body was delimited (RFC 9112 section 6.3). */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly body: Buffer;
  /** Trailer names and values in turn. */
  readonly rawTrailers: readonly string[];
  /** The body has come to its declared end. */
  readonly complete: boolean;
  /** All values of a field, in order; `name` in lower case. */
  values(name: string): string[];
  /** The value of a field that must not occur twice; throws when it does. */
  header(name: string): string | undefined;
  json(): Record<string, unknown>;
}

/** What the parser has to know of the connection. */
export interface ParseContext {
  /** Methods of the requests, in order; GET where the list is too short. */
  readonly methods: readonly string[];
  /** The peer has closed the connection. */
  readonly ended: boolean;
}

const STATUS_LINE = /^(HTTP\/1\.1) (\d{3}) ([\t \x21-\x7e\x80-\xff]*)$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([^\r\n\0]*?)[\t ]*$/;

/**
 * Parses all responses in the bytes of a connection, with no leniency: any deviation from RFC 9112 throws, and so
 * do bytes left over behind the last response.
 */
export function parseResponses(bytes: Buffer, context: ParseContext): RawResponse[] {
  const text = bytes.toString('latin1');
  const responses: RawResponse[] = [];
  let at = 0;
  let finals = 0;
  while (at < text.length) {
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd === -1) {
      if (context.ended) throw new Error(`No response head: ${JSON.stringify(text.slice(at, at + 200))}`);
      break;
    }
    const parsed = parseHead(text.slice(at, headEnd));
    const method = context.methods[finals] ?? 'GET';
    const framing = framingOf(parsed.status, parsed.rawHeaders, method);
    const body = parseBody(text, headEnd + 4, framing, context.ended);
    responses.push(respond(parsed, framing.kind, body));
    if (parsed.status >= 200) finals += 1;
    at = body.next;
    if (!body.complete) break;
  }
  return responses;
}

interface Head {
  version: string;
  status: number;
  reason: string;
  rawHeaders: string[];
}

interface Body {
  body: string;
  trailers: string[];
  complete: boolean;
  next: number;
}

type Framing = { kind: 'none' | 'chunked' | 'close' } | { kind: 'length'; length: number };

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const match = STATUS_LINE.exec(first);
  if (match === null) throw new Error(`Bad status line: ${JSON.stringify(first)}`);
  const [, version = '', status = '', reason = ''] = match;
  return { version, status: Number(status), reason, rawHeaders: lines.flatMap(parseField) };
}

function parseField(line: string): [string, string] {
  const match = FIELD_LINE.exec(line);
  if (match === null) throw new Error(`Bad field line: ${JSON.stringify(line)}`);
  return [match[1] ?? '', match[2] ?? ''];
}

function valuesOf(fields: readonly string[], name: string): string[] {
  return fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === name);
}

function framingOf(status: number, fields: readonly string[], method: string): Framing {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 1) throw new Error('Two Content-Length fields');
  if (codings.length > 0 && lengths.length > 0) throw new Error('Both Content-Length and Transfer-Encoding');
  if (lengths[0] !== undefined && !/^\d+$/.test(lengths[0]))
    throw new Error(`Bad Content-Length ${lengths[0]}`);
  const bodiless = status < 200 || status === 204;
  // RFC 9110 section 8.6 and RFC 9112 section 6.1: neither field may stand in such a response.
  if (bodiless && lengths.length + codings.length > 0) throw new Error(`A ${status} declares a body`);
  if (bodiless || status === 304 || method === 'HEAD') return { kind: 'none' };
  if (codings.length > 0) {
    if (codings.join() !== 'chunked') throw new Error(`Unknown Transfer-Encoding ${codings.join()}`);
    return { kind: 'chunked' };
  }
  return lengths[0] === undefined ? { kind: 'close' } : { kind: 'length', length: Number(lengths[0]) };
}

function parseBody(text: string, start: number, framing: Framing, ended: boolean): Body {
  switch (framing.kind) {
    case 'none':
      return { body: '', trailers: [], complete: true, next: start };
    case 'close':
      return { body: text.slice(start), trailers: [], complete: ended, next: text.length };
    case 'length': {
      const body = text.slice(start, start + framing.length);
      return { body, trailers: [], complete: body.length === framing.length, next: start + body.length };
    }
    case 'chunked':
      return parseChunked(text, start);
  }
}

function parseChunked(text: string, start: number): Body {
  const parts: string[] = [];
  const partial = (): Body => ({ body: parts.join(''), trailers: [], complete: false, next: text.length });
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return partial();
    const line = text.slice(at, lineEnd);
    if (!/^[0-9A-Fa-f]{1,8}$/.test(line)) throw new Error(`Bad chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    parts.push(text.slice(at, at + size));
    if (text.length < at + size + 2) return partial();
    if (text.slice(at + size, at + size + 2) !== '\r\n')
      throw new Error('No CRLF behind the data of a chunk');
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return partial();
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { body: parts.join(''), trailers, complete: true, next: at };
    trailers.push(...parseField(line));
  }
}

function respond(head: Head, framing: RawResponse['framing'], parsed: Body): RawResponse {
  const body = Buffer.from(parsed.body, 'latin1');
  return {
    ...head,
    framing,
    body,
    rawTrailers: parsed.trailers,
    complete: parsed.complete,
    values: (name) => valuesOf(head.rawHeaders, name),
    header(name) {
      const values = valuesOf(head.rawHeaders, name);
      if (values.length > 1) throw new Error(`${values.length} fields named ${name}`);
      return values[0];
    },
    json() {
      const value: unknown = JSON.parse(body.toString('utf8'));
      if (typeof value !== 'object' || value === null) throw new Error('The body is no JSON object');
      return { ...value };
    },
  };
}
