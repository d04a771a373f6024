import type { Clock, Timer } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { Target } from '../services/target.js';
import type { ResponseObserver } from './upstream-response.js';

/**
 * The books of one attempt: the target's count of requests under way, the time limit on the whole, and informational
 * responses, which go to the client at once.
 */
export class UpstreamAttempt implements ResponseObserver {
  readonly #exchange: Exchange;
  readonly #target: Target;
  readonly #deadline: Timer | undefined;

  /** @param totalTimeout for the whole response, in milliseconds; 0 for no limit */
  constructor(exchange: Exchange, target: Target, clock: Clock, totalTimeout: number) {
    this.#exchange = exchange;
    this.#target = target;
    this.#deadline =
      totalTimeout === 0
        ? undefined
        : clock.setTimeout(() => exchange.upstream?.abort(new GatewayError('GATEWAY_TIMEOUT')), totalTimeout);
    target.active++;
  }

  onInformational(status: number, fields: readonly string[]): void {
    const { req, res } = this.#exchange;
    // RFC 9110 section 15.2: no 1xx to an HTTP/1.0 client. Only Early Hints mean anything to a client that did not ask.
    if (status !== 103 || res.headersSent || (req.httpVersionMajor === 1 && req.httpVersionMinor === 0))
      return;
    const hints: Record<string, string | string[]> = Object.create(null);
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = (fields[i] ?? '').toLowerCase();
      const value = fields[i + 1] ?? '';
      const before = hints[name];
      hints[name] =
        before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
    }
    try {
      res.writeEarlyHints(hints);
    } catch {
      // A hint that Node.js finds malformed is only a hint; the response itself is still to come.
    }
  }

  onSettled(): void {
    this.#target.active--;
    this.#deadline?.cancel();
  }
}
