import { Duplex } from 'node:stream';
import type { Clock } from '../../clock.js';
import { GatewayError } from '../../errors.js';
import type { Exchange } from '../../exchange.js';

/** The waits of one request, which end when its client is gone. */
export class Pauses {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  #wake: (() => void) | undefined;
  #listens = false;

  constructor(exchange: Exchange, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
  }

  /**
   * Waits.
   *
   * @param duration in milliseconds
   * @throws GatewayError CLIENT_CLOSED_REQUEST as soon as the client is gone
   */
  async sleep(duration: number): Promise<void> {
    if (!this.#listens) {
      this.#listens = true;
      this.#exchange.onFinished(() => this.#wake?.());
    }
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimeout(resolve, duration);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
    this.checkClient();
  }

  /** @throws GatewayError CLIENT_CLOSED_REQUEST when the client's connection, or its stream in HTTP/2, is gone */
  checkClient(): void {
    const { res } = this.#exchange;
    const stream: unknown = 'stream' in res ? res.stream : undefined;
    if (res.destroyed || (stream instanceof Duplex && stream.destroyed)) {
      throw new GatewayError('CLIENT_CLOSED_REQUEST');
    }
  }
}
