import type { Limit } from './bucket.js';

/** What requests share a bucket. */
export const SHARED_BY = [
  'client',
  'consumer',
  'address',
  'client-service',
  'client-route',
  'service',
  'route',
  'global',
] as const;

/**
 * What requests share a bucket: those of one client (its consumer where one is authenticated, else its address), of one
 * consumer, of one address, of one client at one service or route; or all at one service, at one route, or at all.
 */
export type SharedBy = (typeof SHARED_BY)[number];

/** A limit with a name, as clients see it. */
export interface Policy extends Limit {
  readonly name: string;
  /** The item of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers section 3). */
  readonly advertised: string;
}

/** A policy as it is written in the options. */
export interface PolicyOptions {
  readonly name: string;
  readonly by: SharedBy;
  readonly requests: number;
  /** Milliseconds. */
  readonly window: number;
  /** As many as `requests` where it is absent. */
  readonly burst?: number;
}

/** Gives a policy its numbers, and the text that tells clients of them. */
export function createPolicy({
  name,
  requests,
  window,
  burst = requests,
}: Omit<PolicyOptions, 'by'>): Policy {
  // The draft knows whole seconds only.
  const advertised = `"${name}";q=${requests};w=${Math.max(1, Math.round(window / 1000))}`;
  return { name, requests, window, burst, advertised };
}

/** The part of a bucket's key that changes with the policy, so that a changed one starts with fresh buckets. */
export function policyKey({ name, requests, window, burst }: Policy): string {
  return `${name}|${requests}/${window}/${burst}`;
}
