import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  type GatewayPlugin,
  type GatewayRequest,
  LOGGER,
  type Logger,
  OPTIONS,
} from '../../core/index.js';

/** Options of the access log. */
export interface AccessLogOptions {
  readonly client: boolean;
}

/** One line per request, when it is over: what was asked, what was answered, and by whom. */
@injectable()
export class AccessLog implements GatewayPlugin<AccessLogOptions> {
  readonly #options: AccessLogOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;

  constructor(
    @inject(OPTIONS) options: AccessLogOptions,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
  }

  finished(request: GatewayRequest): void {
    const exchange = request.isExchange() ? request : undefined;
    const { res } = request;
    const complete = res.writableFinished;
    const status = complete || res.headersSent ? res.statusCode : 499;
    const duration = this.#clock.monotonic() - request.startedAt;
    // Always the same fields in the same order; those that do not apply are undefined, and left out of the line.
    this.#logger.info(
      {
        request_id: request.requestId,
        service: exchange?.service.name,
        route: exchange?.route.id,
        method: request.req.method,
        path: request.path,
        status,
        duration_ms: Math.round(duration * 1000) / 1000,
        bytes: exchange?.upstream?.bytes,
        client: this.#options.client ? request.clientAddress : undefined,
        consumer: request.consumer?.id,
        target: exchange?.target?.url,
        attempts: exchange?.attempts,
        code: request.errorCode ?? (complete ? undefined : 'CLIENT_CLOSED_REQUEST'),
      },
      message(exchange !== undefined, status, request.errorCode),
    );
  }
}

function message(proxied: boolean, status: number, errorCode: string | undefined): string {
  if (errorCode !== undefined || status === 499) return 'Request failed';
  return proxied ? 'Request proxied successfully' : 'Request answered by the gateway';
}
