import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../errors.js';
import type { GatewayRequest } from '../exchange.js';
import { upstreamError } from '../proxy/upstream-errors.js';

/** A client that went away before it was answered. */
const CLIENT_GONE = 499;

/**
 * How requests ended, for whoever counts or logs them: statistics, metrics and access log agree because they all ask here.
 * To be asked when a request is over, for example in a plugin's `finished`.
 */

/** Whether the response was delivered in full. A request for an upgrade is over when that was granted. */
export function wasDelivered({ res, kind }: GatewayRequest): boolean {
  if (kind === 'upgrade' && res.statusCode === 101) return true;
  return res.writableFinished && (res.req.httpVersionMajor < 2 || !wasReset(res));
}

/** Node.js calls the response of an HTTP/2 stream finished also when the stream was reset (RFC 9113 section 6.4). */
function wasReset(res: ServerResponse): boolean {
  const stream: unknown = 'stream' in res ? res.stream : undefined;
  return typeof stream === 'object' && stream !== null && 'rstCode' in stream && stream.rstCode !== 0;
}

/** The status that the client was sent; 499 for a client that went away before any was. */
export function statusOf(request: GatewayRequest): number {
  const { res } = request;
  return wasDelivered(request) || res.headersSent ? res.statusCode : CLIENT_GONE;
}

/**
 * What went wrong, as a code of the error table; undefined where nothing did. A response that broke off has one as well: of
 * the upstream's failure, or CLIENT_CLOSED_REQUEST.
 */
export function errorCodeOf(request: GatewayRequest): string | undefined {
  if (request.errorCode !== undefined) return request.errorCode;
  return wasDelivered(request) ? undefined : brokenOffBy(request);
}

/** Whether a request was successful: answered below 400, and delivered in full. */
export function wasSuccessful(request: GatewayRequest): boolean {
  return wasDelivered(request) && request.res.statusCode < 400;
}

function brokenOffBy(request: GatewayRequest): ErrorCode {
  // What the client's own leaving does to the upstream's response is CLIENT_CLOSED_REQUEST as well.
  const failure = request.isExchange() ? request.upstream?.error : undefined;
  return failure === undefined ? 'CLIENT_CLOSED_REQUEST' : upstreamError(failure).code;
}
