import { errors } from 'undici';
import { ERRORS, isGatewayError } from '../../core/index.js';

/** Failures of the gateway's own doing, although they come from the way to the upstream. */
const OWN_FAULTS = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_ABORTED',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

/**
 * Whether what an attempt failed with is the upstream's doing: it could not be reached, took too long, or broke off. What the
 * client did (it left, its body was too large or too slow), what the gateway itself refused, and what plugins threw is not.
 */
export function isUpstreamFault(failure: unknown): boolean {
  if (!isGatewayError(failure) || ERRORS[failure.code].blame !== 'upstream') return false;
  // Without a cause nobody was asked: there was no target, or no room for another request.
  if (failure.code === 'SERVICE_UNAVAILABLE' && failure.cause === undefined) return false;
  return !OWN_FAULTS.has(codeOf(failure.cause));
}

/** Codes of what upstreams do to a connection; a stream that is torn down on this side of it has others, or none. */
const BROKEN_OFF = /^(?:E[A-Z]+|UND_ERR_\w+|HPE_\w+|ERR_SSL_\w+)$/;

/**
 * Whether a body was broken off by the upstream, and not because nobody wanted the rest of it.
 *
 * @param error of the response; undefined while it is under way
 */
export function isBreakOff(error: Error | undefined): boolean {
  if (error === undefined) return false;
  if (isGatewayError(error)) return isUpstreamFault(error);
  // Where a body is no HTTP from some point on, undici's error has no code.
  if (error instanceof errors.HTTPParserError) return true;
  const code = codeOf(error);
  return BROKEN_OFF.test(code) && !OWN_FAULTS.has(code);
}

const ENDLESS = /^(?:text\/event-stream|application\/(?:x-)?ndjson|application\/grpc)/i;

/**
 * Whether a body has no end worth waiting for, such as a stream of events.
 *
 * @param fields names and values in turn
 */
export function isEndless(fields: readonly string[]): boolean {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === 'content-type') return ENDLESS.test(fields[i + 1] ?? '');
  }
  return false;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
