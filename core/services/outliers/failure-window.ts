import type { Clock } from '../../clock.js';

/** The window moves on in slices of a tenth of its span. */
const SLICES = 10;

/** Counts successes and failures over the latest span of time, in constant memory. */
export class FailureWindow {
  readonly #clock: Clock;
  readonly #slice: number;
  readonly #totals = new Int32Array(SLICES);
  readonly #failed = new Int32Array(SLICES);
  #total = 0;
  #failures = 0;
  /** The number of the slice under way, counted from the clock's start. */
  #current = 0;

  /** @param span in milliseconds, above 0; rounded up by at most one slice, a tenth of it */
  constructor(span: number, clock: Clock) {
    this.#clock = clock;
    this.#slice = span / SLICES;
    this.#current = this.#now();
  }

  /** Requests in the window. */
  get total(): number {
    this.#advance();
    return this.#total;
  }

  /** Those among {@link total} that failed. */
  get failures(): number {
    this.#advance();
    return this.#failures;
  }

  add(ok: boolean): void {
    this.#advance();
    const at = this.#current % SLICES;
    this.#totals[at] = (this.#totals[at] ?? 0) + 1;
    this.#total++;
    if (ok) return;
    this.#failed[at] = (this.#failed[at] ?? 0) + 1;
    this.#failures++;
  }

  clear(): void {
    this.#totals.fill(0);
    this.#failed.fill(0);
    this.#total = 0;
    this.#failures = 0;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / this.#slice);
  }

  /** Drops the slices that have left the window. */
  #advance(): void {
    const now = this.#now();
    if (now === this.#current) return;
    if (now - this.#current >= SLICES) this.clear();
    else {
      for (let slice = this.#current + 1; slice <= now; slice++) {
        const at = slice % SLICES;
        this.#total -= this.#totals[at] ?? 0;
        this.#failures -= this.#failed[at] ?? 0;
        this.#totals[at] = 0;
        this.#failed[at] = 0;
      }
    }
    this.#current = now;
  }
}
