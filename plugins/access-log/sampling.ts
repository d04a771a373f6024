/** Which share of the requests with certain statuses is logged. */
export interface SamplingRule {
  /** 404, or `4xx`, `400-499`, `>=500`. */
  readonly status: number | string;
  /** 0 for none to 1 for all. */
  readonly sample: number;
}

/** What is logged. */
export interface SamplingOptions {
  /** The share of requests that no rule is about; 0 for none to 1 for all. */
  readonly sample: number;
  /** The first that is about a status counts. */
  readonly rules: readonly SamplingRule[];
  /** Requests that took at least so many milliseconds are logged in any case; undefined for no such limit. */
  readonly slow: number | undefined;
}

/** How a status is written in a {@link SamplingRule}. */
export const STATUS_PATTERN = '^(?:[1-5]xx|[1-5]\\d\\d-[1-5]\\d\\d|>=[1-5]\\d\\d)$';

const HIGHEST_STATUS = 599;

/** Decides which requests are logged: a look-up by status. */
export class Sampling {
  readonly #shares: Float64Array;
  readonly #otherwise: number;
  readonly #slow: number;
  readonly #random: () => number;

  /** @param random in [0, 1) */
  constructor(options: SamplingOptions, random: () => number = Math.random) {
    this.#otherwise = options.sample;
    this.#slow = options.slow ?? Number.POSITIVE_INFINITY;
    this.#random = random;
    this.#shares = new Float64Array(HIGHEST_STATUS + 1).fill(options.sample);
    for (const { status, sample } of options.rules.toReversed()) {
      const [from, to] = statusRange(status);
      this.#shares.fill(sample, from, to + 1);
    }
  }

  /**
   * Of how many such requests one is logged, as a share; 0 where this one is not.
   *
   * @param duration of the request in milliseconds
   */
  take(status: number, duration: number): number {
    if (duration >= this.#slow) return 1;
    const share = this.#shares[status] ?? this.#otherwise;
    return share === 1 || (share > 0 && this.#random() < share) ? share : 0;
  }
}

/**
 * The statuses that are meant, the first and the last.
 *
 * @param status a text is written as {@link STATUS_PATTERN} asks
 */
export function statusRange(status: number | string): [number, number] {
  if (typeof status === 'number') return [status, status];
  if (status.endsWith('xx')) return [Number(status[0]) * 100, Number(status[0]) * 100 + 99];
  if (status.startsWith('>=')) return [Number(status.slice(2)), HIGHEST_STATUS];
  return [Number(status.slice(0, 3)), Number(status.slice(4))];
}
