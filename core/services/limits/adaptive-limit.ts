import type { Clock } from '../../clock.js';
import type { AdaptiveConcurrencySettings } from '../../config/service-schema.js';

/** A window has at least so many samples and milliseconds. */
const MIN_SAMPLES = 10;
const MIN_WINDOW = 100;
/** The most samples of a window that its median is taken from. */
const MOST_SAMPLES = 128;
/** How far a window moves the limit to where its gradient points. */
const SMOOTHING = 0.3;
/** The most that one window may take off the limit, before smoothing. */
const STEEPEST = 0.5;
/** Share of failures in a window from which on they speak of overload, and what is left of the limit then. */
const MANY_FAILURES = 0.1;
const BACK_OFF = 0.9;
/** Milliseconds after which the latency without load is measured anew. */
const BASELINE_AGE = 30_000;

/**
 * A limit of concurrency that follows the latency, by the gradient method of Netflix's concurrency-limits (Gradient2)
 * and Envoy's adaptive concurrency filter: the ratio of the latency without load to the present one says how much is
 * queueing upstream.
 *
 *     limit' = limit * min(1, (1 + tolerance) * baseline / latency) + sqrt(limit)
 *
 * Latencies are medians over windows of at least 10 requests and 100 ms. The baseline is the lowest of them; every 30 s
 * it is measured anew, with less than half of the limit in force for a window: under steady load no request would be
 * free of queueing otherwise, and the baseline creep up with the limit. While less than half of the limit is in use it stays as it is,
 * since its latency then says nothing of it, and such a window serves to measure the baseline.
 */
export class AdaptiveLimit {
  readonly settings: AdaptiveConcurrencySettings;
  /** A fixed limit that holds beside the settings' maximum; Infinity for none. */
  readonly ceiling: number;
  readonly #clock: Clock;
  readonly #maximum: number;
  readonly #minimum: number;
  #limit: number;
  #baseline: number | undefined;
  #measuredAt: number;
  /** Since when the limit is cut to measure the baseline; only requests begun later tell. */
  #probingSince: number | undefined;

  readonly #samples = new Float64Array(MOST_SAMPLES);
  #succeeded = 0;
  #failed = 0;
  /** Most requests under way within the window. */
  #peak = 0;
  #windowStart: number;

  /** @param ceiling see {@link AdaptiveLimit.ceiling} */
  constructor(settings: AdaptiveConcurrencySettings, clock: Clock, ceiling = Number.POSITIVE_INFINITY) {
    this.settings = settings;
    this.ceiling = ceiling;
    this.#clock = clock;
    this.#maximum = Math.min(settings.maximum, ceiling);
    this.#minimum = Math.min(settings.minimum, this.#maximum);
    this.#limit = Math.min(Math.max(settings.initial, this.#minimum), this.#maximum);
    this.#windowStart = clock.monotonic();
    this.#measuredAt = this.#windowStart;
  }

  /** The most requests that may be under way: an integer from the minimum to the maximum. */
  get limit(): number {
    // Half of it is free of queueing where the baseline is right, as latency is at most doubled; the root is headroom.
    const limit = this.#probingSince === undefined ? this.#limit : this.#limit / 2 - Math.sqrt(this.#limit);
    return Math.max(Math.floor(limit), this.#minimum);
  }

  /** The latency without load, in milliseconds; undefined until the first window is over. */
  get baseline(): number | undefined {
    return this.#baseline;
  }

  /**
   * Notes the end of a request.
   *
   * @param latency in milliseconds
   * @param underWay how many requests there were, this one included
   * @param ok false where its latency says nothing, because it failed
   */
  sample(latency: number, underWay: number, ok: boolean): void {
    const now = this.#clock.monotonic();
    if (this.#probingSince !== undefined && !this.#belongsToProbe(now, latency, underWay)) return;
    if (underWay > this.#peak) this.#peak = underWay;
    if (ok) this.#samples[this.#succeeded++ % MOST_SAMPLES] = latency;
    else this.#failed++;
    if (this.#succeeded + this.#failed < MIN_SAMPLES || now - this.#windowStart < MIN_WINDOW) return;
    this.#conclude(now);
    this.#openWindow(now);
  }

  #belongsToProbe(now: number, latency: number, underWay: number): boolean {
    if (underWay > this.limit) {
      // What was let in before is still under way; the measurement begins when it is gone.
      this.#probingSince = now;
      this.#openWindow(now);
      return false;
    }
    return now - latency >= (this.#probingSince ?? 0);
  }

  #conclude(now: number): void {
    const isBusy = this.#peak >= this.#limit / 2;
    if (this.#failed > MANY_FAILURES * (this.#succeeded + this.#failed)) {
      if (isBusy) this.#moveTo(this.#limit * BACK_OFF);
      this.#probingSince = undefined;
      return;
    }
    const latency = this.#median();
    const isDue = now - this.#measuredAt >= BASELINE_AGE;
    if (this.#probingSince !== undefined || (isDue && !isBusy)) {
      this.#probingSince = undefined;
      this.#baseline = latency;
      this.#measuredAt = now;
      return;
    }
    this.#baseline = Math.min(this.#baseline ?? latency, latency);
    if (!isBusy) return;
    const ratio = latency > 0 ? ((1 + this.settings.tolerance) * this.#baseline) / latency : 1;
    const gradient = Math.min(Math.max(ratio, STEEPEST), 1);
    const aim = this.#limit * gradient + Math.sqrt(this.#limit);
    this.#moveTo(this.#limit + (aim - this.#limit) * SMOOTHING);
    if (isDue) this.#probingSince = now;
  }

  #moveTo(limit: number): void {
    this.#limit = Math.min(Math.max(limit, this.#minimum), this.#maximum);
  }

  #median(): number {
    const sorted = this.#samples.slice(0, Math.min(this.#succeeded, MOST_SAMPLES)).sort();
    return sorted[sorted.length >> 1] ?? 0;
  }

  #openWindow(now: number): void {
    this.#windowStart = now;
    this.#succeeded = 0;
    this.#failed = 0;
    this.#peak = 0;
  }
}
