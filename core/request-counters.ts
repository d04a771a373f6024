import type { GatewayRequest } from './exchange.js';

/** A client that went away before its response was complete. */
const CLIENT_GONE = 499;

/**
 * Counts the requests for services since the start of the gateway, those that matched no route among them. The gateway's
 * own routes are not counted. A request was successful when its response was below 400 and was delivered in full.
 */
export class RequestCounters {
  #total = 0;
  #failed = 0;

  /** Counts a request that is over. */
  readonly count = (request: GatewayRequest): void => {
    this.#total++;
    const { res } = request;
    const status = res.writableFinished ? res.statusCode : CLIENT_GONE;
    if (status >= 400) this.#failed++;
  };

  get total(): number {
    return this.#total;
  }

  get failed(): number {
    return this.#failed;
  }

  get successful(): number {
    return this.#total - this.#failed;
  }
}
