import { isGatewayError } from '../../errors.js';
import type { UpstreamResponse } from '../upstream-response.js';

/**
 * What an attempt without a head failed of. `connect`: there was no connection, and nothing was sent; `reset`: the
 * connection broke before the head; `timeout`: no head in time; `final`: nothing that another attempt could mend, such
 * as a client that left, or a response that is no HTTP.
 */
export type FailureCause = 'connect' | 'reset' | 'timeout' | 'final';

/** The upstream took longer than `retries.perTryTimeout`. A client sees 504 for it. */
export class AttemptTimeoutError extends Error {
  override readonly name = 'AttemptTimeoutError';
  readonly code = 'ETIMEDOUT';

  constructor() {
    super('The attempt took longer than retries.perTryTimeout');
  }
}

const RESET = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTCONN']);

/** undici refuses the request itself, whoever it is for. */
const REFUSED = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** Whether an attempt failed on this side, and its target had no part in it. */
export function isOwnFault(error: Error): boolean {
  const code = codeOf(error);
  return REFUSED.has(code) || code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED';
}

/** Tells why a response has no head. */
export function failureCause(response: UpstreamResponse): FailureCause {
  const { error } = response;
  // Those are the gateway's own: the client left, sent too much or too slowly, or the total time was up.
  if (error === undefined || isGatewayError(error)) return 'final';
  if (error instanceof AttemptTimeoutError) return 'timeout';
  const code = codeOf(error);
  if (response.connectedAt === 0) return REFUSED.has(code) ? 'final' : 'connect';
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'timeout';
  return RESET.has(code) ? 'reset' : 'final';
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
