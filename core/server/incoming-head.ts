import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.js';

/** What the head of a request says about where it goes and how it is framed. */
export interface IncomingHead {
  /** The `Host` field, in HTTP/2 `:authority`, or of an absolute-form target its authority. */
  readonly host: string;
  /** The target in origin-form. */
  readonly target: string;
  /** Whether a body follows. */
  readonly hasBody: boolean;
  /** The declared length of the body in bytes, or 0 where none is declared. */
  readonly length: number;
}

enum Field {
  Other = 0,
  Host = 1,
  ContentLength = 2,
  TransferEncoding = 3,
  Authority = 4,
}

/** The fields that matter here, in the spellings in use; any other spelling is lowered first. */
const FIELDS: ReadonlyMap<string, Field> = new Map([
  ['host', Field.Host],
  ['Host', Field.Host],
  [':authority', Field.Authority],
  ['content-length', Field.ContentLength],
  ['Content-Length', Field.ContentLength],
  ['transfer-encoding', Field.TransferEncoding],
  ['Transfer-Encoding', Field.TransferEncoding],
]);

/**
 * Reads the head of a request, and refuses what two recipients might frame or route differently: Node.js has parsed
 * it already, this is the second lock.
 *
 * @throws GatewayError BAD_REQUEST, NOT_IMPLEMENTED (a transfer coding but `chunked`; RFC 9112 section 6.1),
 *   HTTP_VERSION_NOT_SUPPORTED
 */
export function readIncomingHead(req: IncomingMessage): IncomingHead {
  const raw = req.rawHeaders;
  let host: string | undefined;
  let hosts = 0;
  let length: string | undefined;
  let coding: string | undefined;
  let authority: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    switch (
      FIELDS.get(name) ??
      (isCandidate(name) ? (FIELDS.get(name.toLowerCase()) ?? Field.Other) : Field.Other)
    ) {
      case Field.Host:
        host = raw[i + 1];
        hosts++;
        break;
      case Field.Authority:
        authority = raw[i + 1];
        break;
      case Field.ContentLength:
        if (length !== undefined) throw malformed('More than one Content-Length');
        length = raw[i + 1] ?? '';
        break;
      case Field.TransferEncoding:
        if (coding !== undefined) throw malformed('More than one Transfer-Encoding');
        coding = raw[i + 1] ?? '';
        break;
      default:
        break;
    }
  }
  if (hosts > 1) throw malformed('More than one Host');
  const stream: unknown = 'stream' in req ? req.stream : undefined;
  if (isHttp2Stream(stream)) {
    // RFC 9113 section 8.3.1: a Host that says something else than :authority makes the request malformed.
    if (authority !== undefined && host !== undefined && authority !== host) {
      throw malformed('Host differs from :authority');
    }
    const target = http2Target(req.url ?? '');
    return {
      host: authority ?? host ?? '',
      target,
      hasBody: !stream.endAfterHeaders,
      length: Number(length ?? 0),
    };
  }
  if (req.httpVersionMajor !== 1 || req.httpVersionMinor > 1) {
    throw new GatewayError('HTTP_VERSION_NOT_SUPPORTED');
  }
  if (coding !== undefined) checkCoding(req, coding, length);
  else if (length !== undefined && !isDigits(length)) throw malformed('Content-Length is not a number');
  const hasBody = coding !== undefined || (length !== undefined && length !== '0');
  const target = req.url ?? '';
  const bytes = length === undefined ? 0 : Number(length);
  if (target.startsWith('/')) return { host: host ?? '', target, hasBody, length: bytes };
  return { ...absoluteTarget(req.method ?? '', target, host), hasBody, length: bytes };
}

function malformed(message: string): GatewayError {
  return new GatewayError('BAD_REQUEST', { message });
}

/** A name that could be one of {@link FIELDS} in another spelling; most are not, and need no lower-casing. */
function isCandidate(name: string): boolean {
  return name.length === 4 || name.length === 14 || name.length === 17;
}

function checkCoding(req: IncomingMessage, coding: string, length: string | undefined): void {
  // RFC 9112 section 6.1: such a message is an attempt at smuggling, or a broken sender.
  if (length !== undefined) throw malformed('Both Content-Length and Transfer-Encoding');
  if (req.httpVersionMinor === 0) throw malformed('Transfer-Encoding in HTTP/1.0');
  if (coding.toLowerCase() !== 'chunked') {
    throw new GatewayError('NOT_IMPLEMENTED', { message: 'The only transfer coding supported is chunked' });
  }
}

function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text.length > 0;
}

/** RFC 9112 section 3.2.2: the authority of an absolute-form target takes the place of `Host`. */
function absoluteTarget(
  method: string,
  target: string,
  host: string | undefined,
): { host: string; target: string } {
  const scheme = /^https?:\/\//i.exec(target)?.[0];
  if (scheme === undefined) {
    if (target === '*' && method === 'OPTIONS') return { host: host ?? '', target };
    throw malformed('The request target must start with a slash');
  }
  const rest = target.slice(scheme.length);
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  if (authority === '' || authority.includes('@'))
    throw malformed('The authority of the request target is invalid');
  const path = end === -1 ? '/' : rest.slice(end);
  return { host: authority, target: path.startsWith('/') ? path : `/${path}` };
}

function http2Target(target: string): string {
  if (!target.startsWith('/') && target !== '*')
    throw malformed('The request target must start with a slash');
  return target;
}

/** The stream of an HTTP/2 request; an HTTP/1 request line that claims another version has none. */
function isHttp2Stream(stream: unknown): stream is { endAfterHeaders: boolean } {
  return typeof stream === 'object' && stream !== null && 'endAfterHeaders' in stream;
}
