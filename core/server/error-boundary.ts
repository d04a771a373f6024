import type { IncomingMessage } from 'node:http';
import accepts from 'accepts';
import { blameFor } from '../blame.js';
import type { Clock } from '../clock.js';
import { ERRORS, type GatewayError } from '../errors.js';
import { Exchange, type GatewayRequest } from '../exchange.js';
import type { Logger } from '../log/logger.js';
import { breakOff } from './break-off.js';
import { toGatewayError, writeError } from './error-response.js';

/**
 * Where every failure of a request ends: it becomes a row of the error table for the client, and a line with the
 * whole story for the log.
 */
export class ErrorBoundary {
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Answers a request with what was thrown; a response that has begun is broken off instead. */
  answer(request: GatewayRequest, failure: unknown): void {
    const error = toGatewayError(failure);
    request.errorCode = error.code;
    this.#log(request, error, failure);
    const { req, res } = request;
    if (res.headersSent) {
      breakOff(res, error);
    } else if (!res.destroyed) {
      const fromUpstream = request.bodySource === 'upstream';
      request.bodySource = 'plugin';
      const problemJson = prefersProblemJson(req);
      const now = this.#clock.now();
      if (request.isExchange()) {
        res.setHeader('X-Gateway-Service', request.service.name);
        res.setHeader('X-Gateway-Timestamp', new Date(now).toISOString());
      }
      writeError(res, { error, requestId: request.requestId, now, problemJson }, fromUpstream);
    }
  }

  #log(request: GatewayRequest, error: GatewayError, failure: unknown): void {
    const { blame } = ERRORS[error.code];
    // What clients do wrong is theirs to know; the access log has a line for it.
    if (blame === 'client') return;
    const culprit = blameFor(failure);
    const cause = error.cause ?? (blame === 'gateway' ? failure : undefined);
    const fields = {
      request_id: request.requestId,
      code: error.code,
      ...request.decisions,
      ...(culprit ? { plugin: culprit.plugin, member: culprit.member } : {}),
      ...(request instanceof Exchange
        ? { service: request.service.name, route: request.route.id, target: request.target?.url }
        : {}),
      ...(cause === undefined ? {} : { err: cause }),
    };
    if (blame === 'gateway') this.#logger.error(fields, 'A request failed in the gateway');
    else this.#logger.warn(fields, 'A request failed at the upstream');
  }
}

/** Whether the client would rather have problem details (RFC 9457) than the gateway's own format. */
function prefersProblemJson(req: IncomingMessage): boolean {
  // Without the name in it there is nothing to weigh: `*/*` means the gateway's own format.
  if (!req.headers.accept?.includes('problem+json')) return false;
  return accepts(req).type('json', PROBLEM_JSON) === PROBLEM_JSON;
}

const PROBLEM_JSON = 'application/problem+json';
