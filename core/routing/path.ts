/** What became of the path of a request target. */
export interface NormalisedTarget {
  /** The path in its one normal form. */
  path: string;
  /** The query with its `?`, byte for byte, or the empty string. */
  query: string;
}

/** Why a path was refused; the text goes to the client. */
export class PathError extends Error {
  override readonly name = 'PathError';
}

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const HASH = 0x23;
const BACKSLASH = 0x5c;

/**
 * Brings an origin-form request target (RFC 9112 section 3.2.1) into the one form in which it is matched and
 * forwarded, so that no two parsers on the way can read it differently:
 *
 * - percent-encoded unreserved characters are decoded and hex digits written in upper case (RFC 3986 section 6.2.2);
 * - runs of `/` become one;
 * - refused: dot segments in any spelling, `%2F` and `%5C` (unless `passEncodedSlashes`), `\`, `#`, NUL and other
 *   control characters, bytes outside ASCII, malformed escapes, and escapes that are not valid UTF-8.
 *
 * @throws PathError naming what was wrong
 */
export function normaliseTarget(target: string, passEncodedSlashes: boolean): NormalisedTarget {
  let previous = 0;
  let plain = true;
  let end = target.length;
  for (let i = 0; i < end; i++) {
    const code = target.charCodeAt(i);
    if (code === QUESTION) {
      end = i;
      break;
    }
    if (code <= 0x20 || code >= 0x7f)
      throw new PathError('The path holds a character that must be percent-encoded');
    if (code === BACKSLASH) throw new PathError('The path holds a backslash');
    if (code === HASH) throw new PathError('The path holds a fragment');
    // Only these can make the path differ from its normal form: an escape, '//' or a segment starting with a dot.
    if (code === PERCENT || (previous === SLASH && (code === SLASH || code === DOT))) plain = false;
    previous = code;
  }
  for (let i = end; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f)
      throw new PathError('The query holds a character that must be percent-encoded');
    if (code === HASH) throw new PathError('The query holds a fragment');
  }
  const path = end === target.length ? target : target.slice(0, end);
  const query = end === target.length ? '' : target.slice(end);
  return { path: plain ? path : normalisePath(path, passEncodedSlashes), query };
}

/**
 * A path pattern of a route, or a rewrite, in the form that paths of requests have when they are matched: otherwise
 * `/caf%c3%a9` or `/café` would never match.
 *
 * @throws PathError for what no path of a request can be
 */
export function normalisePattern(pattern: string): string {
  return normaliseTarget(pattern.replace(/[\u{80}-\u{10ffff}]+/gu, encodeURIComponent), false).path;
}

/** The slow way, for paths with escapes, doubled slashes or segments that start with a dot. */
function normalisePath(path: string, passEncodedSlashes: boolean): string {
  let normal = '';
  for (let i = 0; i < path.length; i++) {
    const char = path[i] ?? '';
    if (char === '%') {
      const byte = hexByte(path, i + 1);
      if (byte === undefined) throw new PathError('The path holds a malformed percent-encoding');
      if (byte === 0x2f || byte === 0x5c) {
        if (!passEncodedSlashes) throw new PathError('The path holds an encoded slash or backslash');
      }
      if (byte < 0x20 || byte === 0x7f) throw new PathError('The path holds an encoded control character');
      normal += isUnreserved(byte)
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
      i += 2;
    } else if (char !== '/' || !normal.endsWith('/')) {
      normal += char;
    }
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(normal);
  } catch {
    throw new PathError('The path holds an escape that is not valid UTF-8');
  }
  // A second reader may take an encoded slash for a separator, so the dot segments are looked for behind that too.
  for (const segment of decoded.split(/[/\\]/)) {
    if (isDots(segment) || isEncodedDots(segment)) {
      throw new PathError('The path holds a dot segment');
    }
  }
  return normal;
}

/** Whether a segment is a dot segment, also for servers that cut parameters off first: `..;x=1` (RFC 3986 section 3.3). */
function isDots(segment: string): boolean {
  const end = segment.indexOf(';');
  const name = end === -1 ? segment : segment.slice(0, end);
  return name === '.' || name === '..';
}

/** Whether a segment that was decoded once would be a dot segment for a reader that decodes again. */
function isEncodedDots(segment: string): boolean {
  if (!segment.includes('%')) return false;
  const again = segment.replace(/%2e/gi, '.').replace(/%(?:2f|5c)/gi, '/');
  return again.split('/').some(isDots);
}

function hexByte(text: string, at: number): number | undefined {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

/** The value of a hex digit, or -1; a position past the end gives NaN and so -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

/** RFC 3986 section 2.3. */
function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  );
}
