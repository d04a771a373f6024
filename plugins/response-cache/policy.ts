/** Which responses without freshness of their own are fresh: by `ttl`, by their age alone, or none. */
export const UNDECLARED = ['ttl', 'heuristic', 'never'] as const;

/** What the operator of the gateway wants of the cache on one route; times in milliseconds. */
export interface CachePolicy {
  readonly ttl: number;
  readonly undeclared: (typeof UNDECLARED)[number];
  readonly override: boolean;
  readonly statuses: readonly number[];
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  /** Responses with Set-Cookie may be stored, cookies and all. */
  readonly storeSetCookie: boolean;
  /** Targeted cache control fields, the one that counts most first (RFC 9213 section 2.2). */
  readonly targetedFields: readonly string[];
}

/** What matters of a request for whether its response may be stored. */
export interface RequestTraits {
  /** The upstream gets an `Authorization` field. */
  readonly authorization: boolean;
  /** The upstream gets a `Cookie` field. */
  readonly cookie: boolean;
  /** What is not public is kept for this consumer alone. */
  readonly partitioned: boolean;
}

/** When a response came. */
export interface Reception {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** From the request to the head of the response, in milliseconds. */
  readonly delay: number;
}

/** What a response says of its reuse, worked out once, when it is stored; the same for many. Times in milliseconds. */
export interface Reuse {
  readonly lifetime: number;
  /** The upstream said nothing of freshness: it is the gateway's guess. */
  readonly implicit: boolean;
  /** Any consumer may have it. */
  readonly isPublic: boolean;
  /** Every use must be validated (section 5.2.2.4). */
  readonly alwaysValidate: boolean;
  /** It is never served stale (sections 5.2.2.2, 5.2.2.8, 5.2.2.10). */
  readonly neverStale: boolean;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  /** Fields that are not stored: named by `private` or `no-cache`; in lower case. */
  readonly omitted: readonly string[];
  /** The request fields that select it, in lower case, in order. */
  readonly vary: readonly string[];
}

/** Why a response is not stored. */
export type Refusal =
  | 'status'
  | 'no-store'
  | 'private'
  | 'set-cookie'
  | 'authorization'
  | 'cookie'
  | 'vary'
  | 'stream'
  | 'stale'
  | 'partial'
  | 'too-large';
