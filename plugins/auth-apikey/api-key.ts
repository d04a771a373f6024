/** A rate limit of a key's own; `window` in milliseconds. */
interface KeyRateLimit {
  readonly requests: number;
  readonly window: number;
  readonly burst?: number;
}

/** Whose a key is, and what it may be used for. The key itself is not in it. */
export interface Grant {
  readonly id: string;
  readonly consumer: string;
  /** For people. */
  readonly name: string;
  /** Names of the services that it opens; absent for all. */
  readonly services?: readonly string[];
  /** Methods that it may be used with, in upper case; absent for all. */
  readonly methods?: readonly string[];
  readonly rateLimit?: KeyRateLimit;
  /** From when on it is not valid any more, in milliseconds since the epoch; absent for never. */
  readonly expiresAt?: number;
}

/** A key that was made at run time, as it is kept. */
export interface StoredKey extends Grant {
  /** SHA-256 of the key, in hexadecimal digits. */
  readonly hash: string;
  /** The first characters of the key, to tell it from others. */
  readonly prefix: string;
  /** Milliseconds since the epoch, like all times here. */
  readonly createdAt: number;
  readonly rotatedAt?: number;
  /** The key before the last rotation, which stays valid until its overlap is over. */
  readonly previous?: { readonly hash: string; readonly prefix: string; readonly until: number };
}

/** Whether a key opens a service to a method. Who may GET may HEAD. */
export function permits({ services, methods }: Grant, service: string, method: string): boolean {
  if (services !== undefined && !services.includes(service)) return false;
  if (methods === undefined || methods.includes(method)) return true;
  return method === 'HEAD' && methods.includes('GET');
}

/** Whether a key's time is over. */
export function isExpired({ expiresAt }: Grant, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}
