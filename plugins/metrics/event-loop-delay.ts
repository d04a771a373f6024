import type { Clock, Timer } from '../../core/index.js';
import { Bounds, Buckets } from './buckets.js';

/** How often the delay is looked at, in milliseconds. */
const PERIOD = 20;

const BOUNDS = new Bounds([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]);

/**
 * How late timers fire, which is how long the event loop was busy with something else. A histogram that only grows: unlike a
 * maximum since the last scrape, it is the same for any number of scrapers.
 */
export class EventLoopDelay {
  /** In seconds. */
  readonly buckets = new Buckets(BOUNDS, '');
  readonly #clock: Clock;
  readonly #timer: Timer;
  #expected: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#expected = clock.monotonic() + PERIOD;
    this.#timer = clock.setInterval(() => this.#look(), PERIOD);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const now = this.#clock.monotonic();
    this.buckets.observe(Math.max(0, now - this.#expected) / 1000);
    this.#expected = now + PERIOD;
  }
}
