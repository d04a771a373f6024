import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { codeForStatus, type ErrorBody, GatewayError, isGatewayError } from '../errors.js';
import { endWithUnreadBody } from './linger.js';

/** Everything thrown anywhere becomes a row of the error table; what is not meant for clients stays in the cause. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (isGatewayError(thrown)) return thrown;
  if (isHttpError(thrown)) {
    return new GatewayError(codeForStatus(thrown.status), {
      cause: thrown,
      ...(thrown.expose ? { message: thrown.message } : {}),
      ...(thrown.headers ? { headers: thrown.headers } : {}),
    });
  }
  return new GatewayError('INTERNAL_ERROR', { cause: thrown });
}

/** The errors of http-errors, which plain Koa middleware throws with `ctx.throw`. */
interface HttpError extends Error {
  status: number;
  expose: boolean;
  headers?: Record<string, string>;
}

function isHttpError(thrown: unknown): thrown is HttpError {
  return (
    thrown instanceof Error &&
    'status' in thrown &&
    typeof thrown.status === 'number' &&
    'expose' in thrown &&
    thrown.status >= 400 &&
    thrown.status < 600
  );
}

/** How an error is told to one client. */
export interface ErrorReport {
  readonly error: GatewayError;
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether the client asks for problem details. */
  readonly problemJson: boolean;
}

/** An error response without its connection: status, type and text. */
export interface ErrorText {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The requirements' error format, or problem details (RFC 9457) where the client asks for them. */
export function errorText(report: ErrorReport): ErrorText {
  const { error, requestId } = report;
  const timestamp = new Date(report.now).toISOString();
  if (report.problemJson) {
    return {
      status: error.status,
      contentType: 'application/problem+json',
      body: JSON.stringify({
        type: 'about:blank',
        title: STATUS_CODES[error.status] ?? error.message,
        status: error.status,
        detail: error.message,
        code: error.code,
        timestamp,
        request_id: requestId,
        ...(error.details ? { details: error.details } : {}),
      }),
    };
  }
  const body: ErrorBody = {
    error: error.message,
    code: error.code,
    timestamp,
    request_id: requestId,
    ...(error.details ? { details: error.details } : {}),
  };
  return { status: error.status, contentType: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}

/** Fields that described the response that the error takes the place of. */
const STALE = [
  'Content-Encoding',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Last-Modified',
  'Cache-Control',
  'Expires',
  'Transfer-Encoding',
  'Trailer',
  'Age',
  'Accept-Ranges',
  'Content-Disposition',
  'Surrogate-Key',
  'Set-Cookie',
];

/**
 * Writes an error response. Header fields that plugins have set survive (CORS, rate limits, ...); those of an upstream
 * response whose place it takes do not.
 *
 * @param fromUpstream whether the response holds fields of an upstream
 */
export function writeError(res: ServerResponse, report: ErrorReport, fromUpstream: boolean): void {
  const text = errorText(report);
  if (fromUpstream) for (const name of STALE) res.removeHeader(name);
  else res.removeHeader('Content-Length');
  res.statusCode = text.status;
  if (res.req.httpVersionMajor < 2) res.statusMessage = STATUS_CODES[text.status] ?? '';
  for (const [name, value] of Object.entries(report.error.headers ?? {})) res.setHeader(name, value);
  res.setHeader('Content-Type', text.contentType);
  res.setHeader('X-Request-Id', report.requestId);
  res.setHeader('Content-Length', Buffer.byteLength(text.body));
  if (!res.hasHeader('Cache-Control')) res.setHeader('Cache-Control', 'no-store');
  endWithUnreadBody(res, res.req.method === 'HEAD' ? '' : text.body);
}
