import { GatewayError, isGatewayError } from '../../core/index.js';
import type { Landing } from './fetches.js';
import type { StoredResponse } from './stored-response.js';

/** Failures of an upstream in whose place a stale response may be served (RFC 5861 section 4). */
const FAILURES = new Set([500, 502, 503, 504]);

/** Whether a status says that the upstream has failed. */
export function isFailureStatus(status: number): boolean {
  return FAILURES.has(status);
}

/** Whether the upstream failed, or could not be asked. */
export function isUpstreamFailure(failure: unknown): boolean {
  return isGatewayError(failure) && FAILURES.has(failure.status);
}

/** Whether a stale response may be served in place of a failure. @param now on the clock's monotonic scale */
export function servesOnFailure(stored: StoredResponse, now: number): boolean {
  // A stored failure is no better than the one at hand.
  if (stored.status >= 500 || stored.reuse.neverStale) return false;
  return -stored.freshFor(now) <= stored.reuse.staleIfError;
}

/** What those who wait for a request are told of its failure. */
export function landingOf(failure: unknown): Landing {
  if (!isGatewayError(failure)) return new GatewayError('BAD_GATEWAY', { cause: failure });
  return failure.code === 'CLIENT_CLOSED_REQUEST' ? 'abandoned' : failure;
}

/** The failure of one request told to another: the same for its client, with the same cause for the log. */
export function sameFailure(failure: GatewayError): GatewayError {
  return new GatewayError(failure.code, {
    message: failure.message,
    cause: failure,
    ...(failure.headers === undefined ? {} : { headers: failure.headers }),
  });
}
