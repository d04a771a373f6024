import { hasDuplicateMembers } from './json-members.js';
import { TokenRefused } from './token-refused.js';

/** A JSON object, as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A token taken apart; nothing in it is to be believed yet. */
export interface ParsedToken {
  readonly kid: string | undefined;
  readonly claims: JsonObject;
}

/** Longest token that is looked at, in characters; a head has room for little more. */
const LONGEST_TOKEN = 8192;
const LONGEST_KID = 512;

/**
 * Header parameters that bring a key, a place to fetch one, or another meaning of the token. No honest token for a
 * gateway has one: keys come from the configuration only, and `crit` demands to be understood (RFC 7515 section 4.1.11).
 */
const REFUSED_PARAMETERS: readonly string[] = ['jwk', 'jku', 'x5u', 'crit', 'b64', 'enc', 'zip'];

/** RFC 8725 section 3.11: tokens of other kinds (logout, DPoP, ...) say so, and are no access tokens. */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);

/**
 * Takes a compact JWS apart, strictly: there is one way only to write a token that is accepted.
 *
 * @throws TokenRefused
 */
export function parseToken(token: string): ParsedToken {
  if (token.length > LONGEST_TOKEN) throw new TokenRefused('malformed');
  const [header = '', payload = '', signature = '', ...rest] = token.split('.', 4);
  if (rest.length > 0 || signature === '') throw new TokenRefused('malformed');
  const parameters = parseSegment(header);
  const claims = parseSegment(payload);
  decodeSegment(signature);
  return { kid: checkHeader(parameters), claims };
}

function checkHeader(header: JsonObject): string | undefined {
  if (typeof header.alg !== 'string') throw new TokenRefused('malformed');
  for (const name of REFUSED_PARAMETERS) {
    if (Object.hasOwn(header, name)) throw new TokenRefused('unsupported header');
  }
  const { typ, kid } = header;
  if (typ !== undefined && !(typeof typ === 'string' && TYPES.has(typ.toLowerCase()))) {
    throw new TokenRefused('unsupported header');
  }
  if (kid === undefined) return undefined;
  if (typeof kid !== 'string' || kid.length > LONGEST_KID) throw new TokenRefused('unsupported header');
  return kid;
}

function parseSegment(segment: string): JsonObject {
  const bytes = decodeSegment(segment);
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new TokenRefused('malformed');
  }
  if (!isObject(value) || hasDuplicateMembers(text)) throw new TokenRefused('malformed');
  return value;
}

/** Refuses what is not exactly the base64url encoding of its bytes (RFC 7515 section 2): padding, spare bits, line ends. */
function decodeSegment(segment: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url');
  if (segment === '' || bytes.toString('base64url') !== segment) throw new TokenRefused('malformed');
  return bytes;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
