/** Where a request stands in a trace, as its sender tells. */
export interface TraceParent {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** The sender's span: 16 lower-case hexadecimal digits. */
  readonly spanId: string;
  /** Whether the sender recorded it. */
  readonly sampled: boolean;
}

/** `00-{trace id}-{span id}-{flags}` */
const LENGTH = 55;
const DASH = 0x2d;

/**
 * Reads a `traceparent` field strictly (W3C Trace Context section 3.2): of version 00 exactly, of a later version what
 * is known of it.
 *
 * @returns undefined where the field must be ignored, and a new trace begun
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  if (text.length < LENGTH) return undefined;
  if (text.charCodeAt(2) !== DASH || text.charCodeAt(35) !== DASH || text.charCodeAt(52) !== DASH)
    return undefined;
  if (!isHex(text, 0, 2) || !isHex(text, 53, 55)) return undefined;
  const version = text.slice(0, 2);
  if (version === 'ff') return undefined;
  if (text.length > LENGTH && (version === '00' || text.charCodeAt(LENGTH) !== DASH)) return undefined;
  if (!isId(text, 3, 35) || !isId(text, 36, 52)) return undefined;
  return {
    traceId: text.slice(3, 35),
    spanId: text.slice(36, 52),
    sampled: (Number.parseInt(text.slice(53, 55), 16) & 1) === 1,
  };
}

/** Writes a `traceparent` field of version 00; flags but `sampled` are for later versions to define. */
export function formatTraceParent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;
}

/** Lower-case digits only: the standard knows no others. */
function isHex(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
  }
  return true;
}

/** An id that is all zeros is none. */
function isId(text: string, from: number, to: number): boolean {
  if (!isHex(text, from, to)) return false;
  for (let i = from; i < to; i++) if (text.charCodeAt(i) !== 0x30) return true;
  return false;
}
