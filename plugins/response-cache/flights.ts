import { type Clock, type Exchange, GatewayError } from '../../core/index.js';
import { Chains, type Linked } from './chains.js';

/**
 * How an upstream request ended for those who wait for its response: it was stored; it cannot be used by others; whoever
 * asked has gone; or it failed.
 */
export type Landing = 'stored' | 'unusable' | 'abandoned' | GatewayError;

/** An upstream request that others wait for. */
export class Flight implements Linked<Flight> {
  readonly key: string;
  readonly variant: string;
  next: Flight | undefined = undefined;
  readonly #flights: Flights;
  /** Made with the first: mostly there are none. */
  #waiters: Set<(landing: Landing) => void> | undefined = undefined;
  #landed = false;

  /** @param variant what tells it from others for the same key */
  constructor(key: string, variant: string, flights: Flights) {
    this.key = key;
    this.variant = variant;
    this.#flights = flights;
  }

  get hasWaiters(): boolean {
    return this.#waiters !== undefined && this.#waiters.size > 0;
  }

  /**
   * Waits for the end, or until patience ends (then `unusable`), or the client goes away (then `abandoned`).
   *
   * @param patience in milliseconds
   */
  wait(exchange: Exchange, clock: Clock, patience: number): Promise<Landing> {
    this.#waiters ??= new Set();
    const waiters = this.#waiters;
    return new Promise((resolve) => {
      const leave = (landing: Landing) => {
        if (waiters.delete(leave)) {
          timer.cancel();
          resolve(landing);
        }
      };
      const timer = clock.setTimeout(() => leave('unusable'), patience);
      waiters.add(leave);
      exchange.onFinished(() => leave('abandoned'));
    });
  }

  /** Releases all who wait. Only the first call counts. */
  land(landing: Landing): void {
    if (this.#landed) return;
    this.#landed = true;
    this.#flights.remove(this);
    if (this.#waiters === undefined) return;
    for (const leave of this.#waiters) leave(landing);
  }

  get size(): number {
    return this.#waiters?.size ?? 0;
  }
}

/** The upstream requests that others wait for: by key, and those for one key by variant. */
export class Flights {
  readonly #underWay = new Chains<Flight>();

  get(key: string, variant: string): Flight | undefined {
    let flight = this.#underWay.first(key);
    while (flight !== undefined && flight.variant !== variant) flight = flight.next;
    return flight;
  }

  begin(key: string, variant: string): Flight {
    const flight = new Flight(key, variant, this);
    this.#underWay.add(flight);
    return flight;
  }

  /** For {@link Flight}. */
  remove(flight: Flight): void {
    this.#underWay.remove(flight);
  }
}

/** The failure of one request told to another: the same for its client, with the same cause for the log. */
export function sameFailure(failure: GatewayError): GatewayError {
  return new GatewayError(failure.code, {
    message: failure.message,
    cause: failure,
    ...(failure.headers === undefined ? {} : { headers: failure.headers }),
  });
}
