import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.js';

/** What a stored response can be told by (RFC 9110 section 8.8). */
export interface Validators {
  readonly etag: string | undefined;
  /** The `Last-Modified` field as it was sent. */
  readonly lastModified: string | undefined;
  /** The same, in milliseconds since the epoch; undefined where it is absent or malformed. */
  readonly modifiedAt: number | undefined;
  /** When the response was made, or came; milliseconds since the epoch. */
  readonly date: number;
}

/** Whether a client has the stored response already, so that 304 tells it enough (RFC 9111 section 4.3.2). */
export function isNotModified(headers: IncomingHttpHeaders, stored: Validators): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) return matchesAny(tags, stored.etag);
  const since = headers['if-modified-since'];
  if (since === undefined) return false;
  const asked = parseHttpDate(since, stored.date);
  // Without Last-Modified the date of the response takes its place.
  return asked !== undefined && (stored.modifiedAt ?? stored.date) <= asked;
}

/** Whether `Range` is to be heeded: `If-Range` is absent, or names the stored response by a strong validator. */
export function isRangeWanted(ifRange: string | undefined, stored: Validators): boolean {
  if (ifRange === undefined) return true;
  if (ifRange.includes('"')) return ifRange === stored.etag && !isWeak(ifRange);
  // RFC 9110 section 8.8.2.2: a date is strong once a minute lies between it and the response.
  return (
    ifRange === stored.lastModified &&
    stored.modifiedAt !== undefined &&
    stored.date - stored.modifiedAt >= 60_000
  );
}

/**
 * Whether a 304 is about the stored response (RFC 9111 section 4.3.4): it has the same entity tag, or where one of the two
 * has none, the same date; or it has nothing to tell responses by. A strong tag is taken for the weak one of the same
 * text, since upstreams that compress weaken the tag of a 200 and not that of its 304.
 */
export function identifies(
  { etag, lastModified }: Pick<Validators, 'etag' | 'lastModified'>,
  stored: Validators,
): boolean {
  if (etag !== undefined && stored.etag !== undefined) return opaque(etag) === opaque(stored.etag);
  if (lastModified !== undefined && stored.lastModified !== undefined)
    return lastModified === stored.lastModified;
  return etag === undefined;
}

/** The weak comparison of RFC 9110 section 8.8.3.2 with each tag of a list. */
function matchesAny(list: string, etag: string | undefined): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  if (list === etag) return true;
  const wanted = opaque(etag);
  for (const [tag] of list.matchAll(TAGS)) if (opaque(tag) === wanted) return true;
  return false;
}

const TAGS = /(?:W\/)?"[^"]*"/g;

function isWeak(tag: string): boolean {
  return tag.startsWith('W/');
}

function opaque(tag: string): string {
  return isWeak(tag) ? tag.slice(2) : tag;
}
