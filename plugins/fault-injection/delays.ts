import { type Clock, type Exchange, GatewayError } from '../../core/index.js';

/** Holds requests up. Each of them holds its connection meanwhile, so there is a limit to how many. */
export class Delays {
  readonly #clock: Clock;
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that are being held up. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Resolves after `delay` milliseconds.
   *
   * @throws GatewayError CLIENT_CLOSED_REQUEST as soon as the client is gone
   */
  wait(exchange: Exchange, delay: number): Promise<void> {
    this.#waiting++;
    return new Promise((resolve, reject) => {
      let over = false;
      const timer = this.#clock.setTimeout(() => {
        over = true;
        this.#waiting--;
        resolve();
      }, delay);
      exchange.onFinished(() => {
        if (over) return;
        timer.cancel();
        this.#waiting--;
        reject(new GatewayError('CLIENT_CLOSED_REQUEST'));
      });
    });
  }
}
