import type { JsonObject } from './token-parse.js';
import { TokenRefused } from './token-refused.js';

/** The last second of the year 9999: what is later was meant as milliseconds, or as an attack. */
const LATEST = 253_402_300_799;
/** OpenID Connect Core section 2: a subject has at most 255 characters. */
const LONGEST_SUBJECT = 255;

/** What the claims of a token must be like, beside what jsonwebtoken checks. */
export interface ClaimRequirements {
  readonly required: readonly string[];
  /** By how much `iat` may lie ahead, in seconds. */
  readonly clockSkew: number;
}

/**
 * Checks the types of the registered claims (RFC 7519 section 4.1), `iat`, and that the required ones are there.
 *
 * @param now seconds since the epoch
 * @returns the subject
 * @throws TokenRefused
 */
export function checkClaims(
  claims: JsonObject,
  { required, clockSkew }: ClaimRequirements,
  now: number,
): string {
  const { sub, iss, aud, jti, iat } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > LONGEST_SUBJECT || !isText(sub)) {
    throw new TokenRefused('claims');
  }
  if (!isOptionalText(iss) || !isOptionalText(jti)) throw new TokenRefused('claims');
  if (!isOptionalText(aud) && !(Array.isArray(aud) && aud.every((each) => typeof each === 'string'))) {
    throw new TokenRefused('claims');
  }
  for (const name of ['exp', 'nbf', 'iat']) {
    if (!isOptionalDate(claims[name])) throw new TokenRefused('claims');
  }
  for (const name of required) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value === undefined || value === null || value === '') throw new TokenRefused('claims');
  }
  if (typeof iat === 'number' && iat > now + clockSkew) throw new TokenRefused('not active yet');
  return sub;
}

/**
 * The texts of a claim: of a list, or of one text with spaces in between (RFC 8693 section 4.2).
 *
 * @param path names of members with dots in between; a claim whose own name has dots is found too
 */
export function textsOf(claims: JsonObject, path: string): ReadonlySet<string> {
  const value = memberAt(claims, path);
  const texts: readonly unknown[] =
    typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return new Set(texts.filter(isListed));
}

function memberAt(claims: JsonObject, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

function isListed(text: unknown): text is string {
  return typeof text === 'string' && text !== '' && isText(text);
}

/** Whether text can be written as UTF-8: it has no half of a surrogate pair. */
function isText(text: string): boolean {
  return !/[\uD800-\uDFFF]/u.test(text);
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isOptionalDate(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && value >= 0 && value <= LATEST);
}
