/** A part of a body: from the first to the last byte, both counted from 0. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The single range that a `Range` field asks for (RFC 9110 section 14.1.2).
 *
 * @param length of the whole body, in bytes
 * @returns undefined to ignore the field: it is malformed, of another unit, or asks for several ranges;
 *   `unsatisfiable` for 416
 */
export function parseRange(field: string, length: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(field);
  if (!match) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    const suffix = Number(to);
    if (suffix === 0 || length === 0) return 'unsatisfiable';
    return { first: Math.max(0, length - suffix), last: length - 1 };
  }
  const first = Number(from);
  const last = to === '' ? length - 1 : Number(to);
  if (to !== '' && last < first) return undefined;
  if (first >= length) return 'unsatisfiable';
  return { first, last: Math.min(last, length - 1) };
}
