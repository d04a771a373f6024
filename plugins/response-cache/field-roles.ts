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

/** The usual spellings, so that what is stored need not keep its own. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  [
    ...NAMES.map(([name]) => name),
    'Server',
    'X-Powered-By',
    'Content-Language',
    'Accept-Ranges',
    'Link',
    'Strict-Transport-Security',
    'X-Content-Type-Options',
    'X-Frame-Options',
  ]
    .flatMap((name) => [name, name.toLowerCase()])
    .map((name) => [name, name] as const),
);

/** The same name, as one text for all responses where it is a usual one. */
export function interned(name: string): string {
  return SPELLINGS.get(name) ?? name;
}

/** Under the usual spelling and in lower case, so that the usual field costs one look-up. */
const ROLES: ReadonlyMap<string, FieldRole> = new Map(
  NAMES.flatMap(([name, role]) => [[name, role] as const, [name.toLowerCase(), role] as const]),
);

/** What a field means, by its name as it was spelt. */
export function roleOf(name: string): FieldRole {
  return ROLES.get(name) ?? ROLES.get(name.toLowerCase()) ?? FieldRole.Plain;
}
