import { type Directives, deltaSeconds, fieldNames, parseCacheControl, seconds } from './cache-control.js';
import { parseHttpDate } from './http-date.js';
import type { CachePolicy, Reception, Refusal, RequestTraits, Reuse } from './policy.js';
import type { ResponseFields } from './response-fields.js';
import { parseTargeted } from './targeted.js';
import { impliedVary, parseVary } from './vary.js';

/** Statuses that may be reused by heuristics (RFC 9110 section 15.1), but for 206, which is never stored. */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/** Final statuses whose meaning for caching is known here (`must-understand`, RFC 9111 section 5.2.2.3). */
const UNDERSTOOD = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407,
  408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 429, 500, 501, 502, 503, 504, 505,
]);

/** Of what one client has, or asks for a part of; nothing for others. */
const ANSWERS_CONDITIONS = new Set([206, 304, 412, 416]);

/** Never ends, or ends when it likes: who waits for the whole of it waits for ever. */
const STREAMS = /^(?:text\/event-stream|application\/grpc|multipart\/x-mixed-replace)/i;

/** The share of the time since the last change for which a response is taken to be fresh (section 4.2.2). */
const HEURISTIC_SHARE = 0.1;

/** What is known of a response to a GET when it is decided whether to store it. */
export interface Candidate {
  readonly status: number;
  readonly fields: ResponseFields;
  readonly reception: Reception;
  readonly request: RequestTraits;
}

/**
 * Whether a response to a GET request may be stored, and how it may be reused then (RFC 9111 sections 3 to 4.2).
 *
 * @param parse reads a `Cache-Control` field; one that remembers spares the work
 */
export function evaluate(
  candidate: Candidate,
  policy: CachePolicy,
  parse: (field: string) => Directives = parseCacheControl,
): Reuse | Refusal {
  const { fields, request, reception } = candidate;
  const targeted = targetedDirectives(fields, policy);
  const directives = targeted ?? parse(fields.cacheControl);
  const refusal = refuse(candidate, policy, directives);
  if (refusal !== undefined) return refusal;

  const vary = parseVary(fields.vary);
  if (vary === undefined) return 'vary';

  const isPublic = directives.has('public');
  const declared = declaredLifetime(fields, directives, reception, targeted !== undefined);
  const implicit = declared === undefined && !policy.override;
  const guess = policy.override ? policy.ttl : guessedLifetime(candidate, policy, isPublic);
  const lifetime = policy.override ? policy.ttl : (declared ?? guess);
  // Without a word from the upstream, what a cookie may have chosen is not for others.
  if (implicit && request.cookie && !directives.has('no-cache')) return 'cookie';

  const alwaysValidate = directives.get('no-cache') === '';
  // s-maxage means proxy-revalidate too, unless the upstream itself allows more (RFC 5861).
  const allowsStale = directives.has('stale-while-revalidate') || directives.has('stale-if-error');
  const neverStale =
    alwaysValidate ||
    directives.has('must-revalidate') ||
    directives.has('proxy-revalidate') ||
    (directives.has('s-maxage') && !allowsStale);
  const reuse: Reuse = {
    lifetime,
    implicit,
    isPublic,
    alwaysValidate,
    neverStale,
    staleWhileRevalidate: stale('stale-while-revalidate', policy.staleWhileRevalidate),
    staleIfError: stale('stale-if-error', policy.staleIfError),
    omitted: namedFields(directives),
    vary: impliedVary(vary, fields),
  };
  return isWorthStoring(reuse, fields) ? reuse : 'stale';

  function stale(name: string, configured: number): number {
    if (neverStale) return 0;
    const asked = seconds(directives, name);
    if (asked !== undefined) return asked * 1000;
    return directives.has('s-maxage') ? 0 : configured;
  }
}

/** The directives of the targeted field that counts most and is well-formed (RFC 9213 section 2.2). */
function targetedDirectives(fields: ResponseFields, policy: CachePolicy): Directives | undefined {
  if (fields.targeted === undefined) return undefined;
  for (const name of policy.targetedFields) {
    const value = fields.targeted.get(name);
    const directives = value === undefined ? undefined : parseTargeted(value);
    if (directives !== undefined) return directives;
  }
  return undefined;
}

function refuse(
  { status, fields, request }: Candidate,
  policy: CachePolicy,
  directives: Directives,
): Refusal | undefined {
  if (ANSWERS_CONDITIONS.has(status) || status < 200) return 'partial';
  if (policy.statuses.length > 0 && !policy.statuses.includes(status)) return 'status';
  const mustUnderstand = directives.has('must-understand');
  if (mustUnderstand && !UNDERSTOOD.has(status)) return 'status';
  if (directives.has('no-store') && !mustUnderstand) return 'no-store';
  if (directives.get('private') === '') return 'private';
  if (fields.setsCookie && !policy.storeSetCookie) return 'set-cookie';
  if (fields.contentType !== undefined && STREAMS.test(fields.contentType)) return 'stream';
  // RFC 9111 section 3.5; what is kept for one consumer alone is in no shared cache.
  if (request.authorization && !request.partitioned) {
    const allowed =
      directives.has('public') || directives.has('must-revalidate') || directives.has('s-maxage');
    if (!allowed) return 'authorization';
  }
  return undefined;
}

/** RFC 9111 section 4.2.1, in milliseconds. */
function declaredLifetime(
  fields: ResponseFields,
  directives: Directives,
  { time }: Reception,
  targeted: boolean,
): number | undefined {
  const age = seconds(directives, 's-maxage') ?? seconds(directives, 'max-age');
  if (age !== undefined) return age * 1000;
  // A targeted field takes the place of Expires too (RFC 9213 section 2.1).
  if (targeted || fields.expires === undefined) return undefined;
  const expires = parseHttpDate(fields.expires, time);
  // Section 5.3: an invalid date, "0" above all, is one in the past.
  return expires === undefined ? 0 : Math.max(0, expires - fields.madeAt(time));
}

/** RFC 9111 section 4.2.2, in milliseconds. */
function guessedLifetime(
  { status, fields, reception }: Candidate,
  policy: CachePolicy,
  isPublic: boolean,
): number {
  if (policy.undeclared === 'never' || /no-cache/i.test(fields.pragma)) return 0;
  if (!HEURISTIC.has(status) && !isPublic) return 0;
  const changed =
    fields.lastModified === undefined ? undefined : parseHttpDate(fields.lastModified, reception.time);
  if (changed !== undefined) {
    const unchanged = Math.max(0, fields.madeAt(reception.time) - changed);
    return Math.min(unchanged * HEURISTIC_SHARE, policy.ttl);
  }
  return policy.undeclared === 'ttl' && status === 200 ? policy.ttl : 0;
}

/** RFC 9111 section 4.2.3: the corrected initial age, in milliseconds. */
export function ageOnArrival(fields: ResponseFields, { time, delay }: Reception): number {
  // Dates have whole seconds.
  const apparent = Math.max(0, Math.floor(time / 1000) * 1000 - fields.madeAt(time));
  // Section 5.1: of a list the first member, and what is no number is as if it were not there.
  const told = fields.age === undefined ? 0 : (deltaSeconds(fields.age.split(',', 1)[0]?.trim() ?? '') ?? 0);
  return Math.max(apparent, told * 1000 + delay);
}

/** The fields that `private` and `no-cache` name. */
function namedFields(directives: Directives): readonly string[] {
  const names = `${directives.get('private') ?? ''},${directives.get('no-cache') ?? ''}`;
  return names === ',' ? NONE : fieldNames(names);
}

const NONE: readonly string[] = [];

/** Whether it will ever be of use: fresh for a while, or with something to validate it by. */
function isWorthStoring(reuse: Reuse, fields: ResponseFields): boolean {
  if (fields.etag !== undefined || fields.lastModified !== undefined) return true;
  return reuse.lifetime > 0 && !reuse.alwaysValidate;
}
