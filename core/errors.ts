/** One row of the error table: what a client sees. */
export interface ErrorEntry {
  /** HTTP status code, as RFC 9110 section 15 defines it. */
  readonly status: number;
  /** The `error` text of the response. Names no host, path or internal detail. */
  readonly message: string;
  /** Who is at fault; a label for logs and metrics, never sent to a client. */
  readonly blame: 'client' | 'gateway' | 'upstream';
}

/**
 * Every error that the gateway itself answers with. A plugin may answer with any of these codes by throwing a
 * {@link GatewayError}; docs/reference/errors.md is generated from this table.
 */
export const ERRORS = {
  BAD_REQUEST: { status: 400, message: 'The request is malformed', blame: 'client' },
  UNAUTHORIZED: { status: 401, message: 'Authentication is required', blame: 'client' },
  FORBIDDEN: { status: 403, message: 'Access is not allowed', blame: 'client' },
  ROUTE_NOT_FOUND: { status: 404, message: 'No route matches the request', blame: 'client' },
  SERVICE_NOT_FOUND: { status: 404, message: 'No such service', blame: 'client' },
  NOT_FOUND: { status: 404, message: 'No such resource', blame: 'client' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'The method is not allowed here', blame: 'client' },
  REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time', blame: 'client' },
  CONFLICT: { status: 409, message: 'The request conflicts with the current state', blame: 'client' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The request body is too large', blame: 'client' },
  URI_TOO_LONG: { status: 414, message: 'The request target is too long', blame: 'client' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'The content type is not supported', blame: 'client' },
  EXPECTATION_FAILED: { status: 417, message: 'The expectation cannot be met', blame: 'client' },
  UPGRADE_REQUIRED: { status: 426, message: 'This resource needs a protocol upgrade', blame: 'client' },
  RATE_LIMITED: { status: 429, message: 'Too many requests', blame: 'client' },
  HEADERS_TOO_LARGE: { status: 431, message: 'The request header fields are too large', blame: 'client' },
  CLIENT_CLOSED_REQUEST: { status: 499, message: 'The client closed the request', blame: 'client' },
  INTERNAL_ERROR: { status: 500, message: 'The gateway failed to handle the request', blame: 'gateway' },
  NOT_IMPLEMENTED: {
    status: 501,
    message: 'The request asks for something not implemented',
    blame: 'client',
  },
  BAD_GATEWAY: { status: 502, message: 'The service gave an invalid response', blame: 'upstream' },
  SERVICE_UNAVAILABLE: { status: 503, message: 'Service temporarily unavailable', blame: 'upstream' },
  GATEWAY_DRAINING: { status: 503, message: 'The gateway is shutting down', blame: 'gateway' },
  GATEWAY_TIMEOUT: { status: 504, message: 'The service did not answer in time', blame: 'upstream' },
  HTTP_VERSION_NOT_SUPPORTED: { status: 505, message: 'The HTTP version is not supported', blame: 'client' },
} as const satisfies Record<string, ErrorEntry>;

/** A code of the error table. */
export type ErrorCode = keyof typeof ERRORS;

/** What may accompany a {@link GatewayError}. */
export interface GatewayErrorOptions {
  /** Replaces the table's `error` text. Sent to the client: no internal detail. */
  readonly message?: string;
  /** Response header fields to set beside those that plugins have set already. */
  readonly headers?: Readonly<Record<string, string>>;
  /** All faults found, sent as `details`; for example one entry per invalid field. */
  readonly details?: readonly unknown[];
  /** The underlying failure, for the log only. */
  readonly cause?: unknown;
  /**
   * For an attempt wrapper that refuses one target and not the service: the request goes on to another target, if there is
   * one. Nothing of it may have been sent.
   */
  readonly anotherTarget?: boolean;
}

/**
 * An error with a row in the table. Throw it from middleware to answer the request with it: the error boundary
 * writes the response and keeps the header fields that plugins have set.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly details: readonly unknown[] | undefined;
  /** See {@link GatewayErrorOptions.anotherTarget}. */
  readonly anotherTarget: boolean;

  constructor(code: ErrorCode, options: GatewayErrorOptions = {}) {
    const entry = ERRORS[code];
    super(
      options.message ?? entry.message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = entry.status;
    this.headers = options.headers;
    this.details = options.details;
    this.anotherTarget = options.anotherTarget ?? false;
  }
}

/** Whether something thrown is a {@link GatewayError}, also one of another copy of this module that a plugin brought. */
export function isGatewayError(thrown: unknown): thrown is GatewayError {
  return (
    thrown instanceof GatewayError ||
    (thrown instanceof Error &&
      thrown.name === 'GatewayError' &&
      'code' in thrown &&
      Object.hasOwn(ERRORS, String(thrown.code)))
  );
}

/** The body of every error response, as the requirements give it. */
export interface ErrorBody {
  error: string;
  code: string;
  /** ISO 8601, UTC. */
  timestamp: string;
  request_id: string;
  details?: readonly unknown[];
}

/** The code that stands for an HTTP status when plain Koa middleware throws one (`ctx.throw(403)`). */
export function codeForStatus(status: number): ErrorCode {
  for (const [code, entry] of Object.entries(ERRORS)) {
    if (entry.status === status) return code as ErrorCode;
  }
  return status >= 400 && status < 500 ? 'BAD_REQUEST' : 'INTERNAL_ERROR';
}
