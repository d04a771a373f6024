/** What a response field means to the cache. */
export enum FieldRole {
  /** Stored, and nothing else. */
  Plain = 0,
  CacheControl = 1,
  Pragma = 2,
  Vary = 3,
  Expires = 4,
  Date = 5,
  ETag = 6,
  LastModified = 7,
  ContentType = 8,
  ContentEncoding = 9,
  AllowOrigin = 10,
  Location = 11,
  ContentLocation = 12,
  /** `Surrogate-Key` and `Cache-Tag`. */
  SurrogateKey = 13,
  CacheTag = 14,
  /** Stored where the policy has it so. */
  SetCookie = 15,
  /** From here on: of one connection, of one delivery, or of the gateway's own, and never stored. */
  NotStored = 16,
  Age = 17,
  ContentLength = 18,
}

const NAMES: readonly (readonly [string, FieldRole])[] = [
  ['Cache-Control', FieldRole.CacheControl],
  ['Pragma', FieldRole.Pragma],
  ['Vary', FieldRole.Vary],
  ['Expires', FieldRole.Expires],
  ['Date', FieldRole.Date],
  ['ETag', FieldRole.ETag],
  ['Last-Modified', FieldRole.LastModified],
  ['Content-Type', FieldRole.ContentType],
  ['Content-Encoding', FieldRole.ContentEncoding],
  ['Access-Control-Allow-Origin', FieldRole.AllowOrigin],
  ['Location', FieldRole.Location],
  ['Content-Location', FieldRole.ContentLocation],
  ['Surrogate-Key', FieldRole.SurrogateKey],
  ['Cache-Tag', FieldRole.CacheTag],
  ['Age', FieldRole.Age],
  ['Content-Length', FieldRole.ContentLength],
  ['Set-Cookie', FieldRole.SetCookie],
  ...[
    'Connection',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'X-Cache-Status',
    'X-Cache-TTL',
    'X-Gateway-Service',
    'X-Gateway-Timestamp',
    'X-Request-Id',
  ].map((name) => [name, FieldRole.NotStored] as const),
];

/** Fields that many responses have, and that mean nothing to the cache. */
const USUAL = [
  'Server',
  'X-Powered-By',
  'Content-Language',
  'Accept-Ranges',
  'Link',
  'Strict-Transport-Security',
  'X-Content-Type-Options',
  'X-Frame-Options',
];

/** A field by one of its spellings. */
export interface KnownField {
  /** The spelling, as one text for all responses that have it: what is stored need not keep its own. */
  readonly name: string;
  readonly role: FieldRole;
  /** Whether there are few different values of it. */
  readonly hasFewValues: boolean;
}

/** Roles of fields of which there are few different values. */
const FEW_VALUES = new Set([
  FieldRole.CacheControl,
  FieldRole.Vary,
  FieldRole.ContentType,
  FieldRole.ContentEncoding,
  FieldRole.AllowOrigin,
]);

/** By both spellings in use, so that nearly every field costs one look-up. */
const FIELDS: ReadonlyMap<string, KnownField> = new Map(
  [
    ...NAMES.map(([name, role]) => [name, role, FEW_VALUES.has(role)] as const),
    ...USUAL.map((name) => [name, FieldRole.Plain, true] as const),
  ]
    .flatMap(([name, role, hasFewValues]) => [
      { name, role, hasFewValues },
      { name: name.toLowerCase(), role, hasFewValues },
    ])
    .map((field) => [field.name, field] as const),
);

/** What a field means, by its name as it was spelt. */
export function fieldOf(name: string): KnownField {
  const known = FIELDS.get(name);
  if (known !== undefined) return known;
  return { name, role: FIELDS.get(name.toLowerCase())?.role ?? FieldRole.Plain, hasFewValues: false };
}
