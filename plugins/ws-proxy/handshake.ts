import type { Duplex } from 'node:stream';
import { type Clock, GatewayError } from '../../core/index.js';

/** The time in which a connection has to come about: until it is up, the client is gone, or it took too long. */
export class Handshake {
  readonly #abort = new AbortController();
  readonly #stop: () => void;

  /** @param timeout in milliseconds */
  constructor(client: Duplex, clock: Clock, timeout: number) {
    const onClose = () => this.#abort.abort(new GatewayError('CLIENT_CLOSED_REQUEST'));
    const timer = clock.setTimeout(() => this.#abort.abort(new GatewayError('GATEWAY_TIMEOUT')), timeout);
    client.once('close', onClose);
    this.#stop = () => {
      timer.cancel();
      client.off('close', onClose);
    };
    if (client.destroyed) onClose();
  }

  /** Aborted with a GatewayError. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** It is over, one way or the other. */
  end(): void {
    this.#stop();
  }
}
