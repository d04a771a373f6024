import { GatewayError, isGatewayError } from '../errors.js';

/** The target was not there: nothing of the request can have been processed. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);

const TIMED_OUT = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/**
 * The error that a client sees for a failed attempt: 503 when the target could not be reached, 504 when it took too
 * long, 502 for anything else it did wrong. The failure itself is kept as the cause, for the log.
 */
export function upstreamError(failure: unknown): GatewayError {
  if (isGatewayError(failure)) return failure;
  const code = errorCode(failure);
  if (UNREACHABLE.has(code)) return new GatewayError('SERVICE_UNAVAILABLE', { cause: failure });
  if (TIMED_OUT.has(code)) return new GatewayError('GATEWAY_TIMEOUT', { cause: failure });
  return new GatewayError('BAD_GATEWAY', { cause: failure });
}

function errorCode(failure: unknown): string {
  if (failure instanceof AggregateError && failure.errors.length > 0) return errorCode(failure.errors[0]);
  return failure instanceof Error && 'code' in failure ? String(failure.code) : '';
}
