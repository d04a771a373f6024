/** 2^32: thresholds are compared with eight hexadecimal digits. */
const RANGE = 0x1_0000_0000;

/**
 * Decides which traces are recorded, by their ids: whoever decides by the same rule decides alike. The rule is
 * OpenTelemetry's for consistent probability sampling: the last 56 bits of the trace id are its randomness, and those at
 * or above a threshold are taken; of the 56, the upper 32 are looked at.
 */
export class RatioSampler {
  readonly #threshold: number;

  /** @param ratio 0 for no traces to 1 for all */
  constructor(ratio: number) {
    this.#threshold = Math.round((1 - ratio) * RANGE);
  }

  /** @param traceId 32 hexadecimal digits */
  takes(traceId: string): boolean {
    if (this.#threshold === 0) return true;
    return this.#threshold < RANGE && Number.parseInt(traceId.slice(18, 26), 16) >= this.#threshold;
  }
}
