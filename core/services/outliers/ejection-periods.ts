/**
 * How long the next ejection of a target takes: the base time, doubled with each ejection, up to a longest time. As
 * long a time of service as the latest ejection took takes back one doubling, as long as the one before took the next.
 */
export class EjectionPeriods {
  readonly #base: number;
  readonly #longest: number;
  /** From here on, the next period is the longest. */
  readonly #mostDoublings: number;
  #doublings = 0;
  #returnedAt = 0;

  /**
   * @param base in milliseconds, above 0
   * @param longest in milliseconds; where it is below the base, every period is that long
   */
  constructor(base: number, longest: number) {
    this.#base = base;
    this.#longest = longest;
    this.#mostDoublings = Math.max(Math.ceil(Math.log2(longest / base)), 0) + 1;
  }

  /**
   * Begins an ejection.
   *
   * @param now on a monotonic scale, in milliseconds
   * @returns its length in milliseconds
   */
  next(now: number): number {
    let served = now - this.#returnedAt;
    while (this.#doublings > 0) {
      const latest = this.#period(this.#doublings - 1);
      if (served < latest) break;
      served -= latest;
      this.#doublings--;
    }
    const period = this.#period(this.#doublings);
    this.#doublings = Math.min(this.#doublings + 1, this.#mostDoublings);
    return period;
  }

  /** Notes the end of an ejection, from which on the target is in service. */
  returned(now: number): void {
    this.#returnedAt = now;
  }

  #period(doublings: number): number {
    return Math.min(this.#base * 2 ** doublings, this.#longest);
  }
}
