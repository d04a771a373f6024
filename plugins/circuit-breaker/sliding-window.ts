/** Slices that a window is divided into: it covers between 15/16 of its length and all of it. */
const SLICES = 16;
/** Counters per slice: calls, failures, slow calls. */
const COUNTERS = 3;

/**
 * Counts the calls of the last so many milliseconds, how many of them failed, and how many were slow. The window moves on by
 * slices; its memory is fixed, and a call costs the same however many there are.
 */
export class SlidingWindow {
  readonly #sliceLength: number;
  readonly #counts = new Uint32Array(SLICES * COUNTERS);
  /** The newest slice, counted from the start of the clock. */
  #newest = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  /** @param length milliseconds, above 0 */
  constructor(length: number) {
    this.#sliceLength = length / SLICES;
  }

  /** @param now milliseconds on a monotonic scale */
  add(now: number, failed: boolean, slow: boolean): void {
    this.#moveTo(now);
    const at = (this.#newest % SLICES) * COUNTERS;
    this.#count(at);
    this.#calls++;
    if (failed) {
      this.#count(at + 1);
      this.#failures++;
    }
    if (slow) {
      this.#count(at + 2);
      this.#slow++;
    }
  }

  /** Calls in the window, as of the last {@link add}. */
  get calls(): number {
    return this.#calls;
  }

  /** Share of failures among the calls, 0 to 1; 0 where there are none. */
  get failureRatio(): number {
    return this.#calls === 0 ? 0 : this.#failures / this.#calls;
  }

  /** Share of slow calls among the calls, 0 to 1; 0 where there are none. */
  get slowRatio(): number {
    return this.#calls === 0 ? 0 : this.#slow / this.#calls;
  }

  /** Forgets all calls. */
  clear(): void {
    this.#counts.fill(0);
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }

  /** Lets go of the slices that `now` leaves behind; at most as many as there are. */
  #moveTo(now: number): void {
    const slice = Math.floor(now / this.#sliceLength);
    const passed = slice - this.#newest;
    if (passed <= 0) return;
    if (passed >= SLICES) {
      this.clear();
    } else {
      for (let left = this.#newest + 1; left <= slice; left++) this.#drop((left % SLICES) * COUNTERS);
    }
    this.#newest = slice;
  }

  #drop(at: number): void {
    this.#calls -= this.#counts[at] ?? 0;
    this.#failures -= this.#counts[at + 1] ?? 0;
    this.#slow -= this.#counts[at + 2] ?? 0;
    this.#counts.fill(0, at, at + COUNTERS);
  }

  #count(at: number): void {
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }
}
