import type { Clock, Timer } from '../clock.js';
import { GatewayError } from '../errors.js';

/** A request body that is being received. */
export interface GuardedBody {
  /** Bytes received so far. */
  readonly bytes: number;
  /** Whether the client is to deliver next. */
  readonly waiting: boolean;
  destroy(error: Error): unknown;
}

/** How slow is too slow. */
export interface SlowBodyLimits {
  /** Longest pause between two chunks, in milliseconds; 0 for no limit. */
  readonly pause: number;
  /** Fewest bytes a second, on average, once {@link GRACE} is over; 0 for no limit. */
  readonly minRate: number;
}

interface Watch {
  bytes: number;
  /** Milliseconds since the last chunk, while the client was to deliver. */
  idle: number;
  /** Milliseconds in all, while the client was to deliver. */
  waited: number;
}

/** Time without a rate to keep to: a client may be slow to get going. Milliseconds. */
const GRACE = 10_000;
const MOST_PERIOD = 1000;

/**
 * Ends request bodies that arrive too slowly, so that a client cannot hold a connection by dripping. One timer for all
 * bodies, and none while there is no body; time in which the upstream held the body back does not count.
 */
export class SlowBodyGuard {
  readonly #clock: Clock;
  readonly #limits: SlowBodyLimits;
  readonly #period: number;
  readonly #bodies = new Map<GuardedBody, Watch>();
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: SlowBodyLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#period = limits.pause > 0 ? Math.min(MOST_PERIOD, Math.max(10, limits.pause / 4)) : MOST_PERIOD;
  }

  watch(body: GuardedBody): void {
    if (this.#limits.pause === 0 && this.#limits.minRate === 0) return;
    this.#bodies.set(body, { bytes: 0, idle: 0, waited: 0 });
    this.#timer ??= this.#clock.setInterval(() => this.#check(), this.#period);
  }

  forget(body: GuardedBody): void {
    if (this.#bodies.delete(body) && this.#bodies.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #check(): void {
    for (const [body, watch] of this.#bodies) {
      if (!body.waiting) {
        watch.bytes = body.bytes;
        watch.idle = 0;
        continue;
      }
      watch.waited += this.#period;
      watch.idle = body.bytes === watch.bytes ? watch.idle + this.#period : 0;
      watch.bytes = body.bytes;
      if (this.#tooSlow(watch)) {
        this.forget(body);
        body.destroy(new GatewayError('REQUEST_TIMEOUT'));
      }
    }
  }

  #tooSlow(watch: Watch): boolean {
    const { pause, minRate } = this.#limits;
    if (pause !== 0 && watch.idle >= pause) return true;
    return minRate !== 0 && watch.waited > GRACE && watch.bytes < (minRate * (watch.waited - GRACE)) / 1000;
  }
}
