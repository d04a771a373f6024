/** Each power of two is divided into this many buckets: a value is off by at most half a bucket, which is 1/32 of it. */
const STEPS = 16;
const STEP_BITS = 4;
/** 35 minutes in microseconds; what takes longer counts as this long. */
const LONGEST = 2 ** 31 - 1;
const BUCKETS = (32 - STEP_BITS) * STEPS;
/** How long one window lasts, in milliseconds. What is reported covers the present one and the one before. */
const WINDOW = 300_000;

/** Percentiles of durations, in milliseconds; null where there was no request. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

const NOTHING: Percentiles = { p50: null, p90: null, p95: null, p99: null };

/**
 * Durations of the last five to ten minutes, in buckets whose width grows with the value, as in an HDR histogram: some
 * 4 KB, however many durations there are. To record one is to count up one number.
 */
export class Latencies {
  #current: Uint32Array = new Uint32Array(BUCKETS);
  #previous: Uint32Array | undefined;
  #since = Number.NEGATIVE_INFINITY;

  /**
   * Counts one duration.
   *
   * @param duration in milliseconds
   * @param now on a monotonic scale, in milliseconds
   */
  record(duration: number, now: number): void {
    if (now - this.#since >= WINDOW) this.#turn(now);
    const index = bucketOf(duration);
    this.#current[index] = (this.#current[index] ?? 0) + 1;
  }

  /** By the nearest-rank method, off by at most a 32nd. */
  percentiles(now: number): Percentiles {
    if (now - this.#since >= WINDOW) this.#turn(now);
    let total = 0;
    for (let i = 0; i < BUCKETS; i++) total += this.#at(i);
    if (total === 0) return NOTHING;
    const at = (share: number) => this.#valueAt(Math.ceil(share * total));
    return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
  }

  #at(index: number): number {
    return (this.#current[index] ?? 0) + (this.#previous?.[index] ?? 0);
  }

  #valueAt(rank: number): number {
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#at(i);
      if (seen >= rank) return middleOf(i);
    }
    return middleOf(BUCKETS - 1);
  }

  #turn(now: number): void {
    // After a longer silence the window before has nothing recent in it either.
    const recent = now - this.#since < 2 * WINDOW;
    const emptied = this.#previous;
    if (recent) {
      this.#previous = this.#current;
      this.#current = emptied ?? new Uint32Array(BUCKETS);
    } else {
      this.#previous = undefined;
    }
    this.#current.fill(0);
    this.#since = now;
  }
}

function bucketOf(duration: number): number {
  const microseconds = Math.min(Math.max(Math.trunc(duration * 1000), 0), LONGEST);
  if (microseconds < STEPS) return microseconds;
  const shift = 31 - Math.clz32(microseconds) - STEP_BITS;
  return shift * STEPS + (microseconds >>> shift);
}

/** The middle of a bucket, in milliseconds. */
function middleOf(index: number): number {
  if (index < STEPS) return index / 1000;
  const shift = Math.trunc(index / STEPS) - 1;
  const lowest = (index - shift * STEPS) * 2 ** shift;
  return (lowest + Math.trunc((2 ** shift - 1) / 2)) / 1000;
}
