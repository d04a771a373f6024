/** The upper bounds of a histogram's buckets, made once for all of its series. */
export class Bounds {
  /** Ascending; without the last, infinite one. */
  readonly values: Float64Array;
  /** As `le` labels, the infinite one among them. */
  readonly texts: readonly string[];

  /** @param bounds in any order */
  constructor(bounds: readonly number[]) {
    const ascending = [...new Set(bounds)].sort((a, b) => a - b);
    this.values = Float64Array.from(ascending);
    this.texts = [...ascending.map(String), '+Inf'];
  }

  equals(other: Bounds): boolean {
    return this.texts.join() === other.texts.join();
  }
}

/** A request that stands for its bucket. */
interface Exemplar {
  readonly traceId: string;
  /** In the unit of the bounds. */
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What trace ids look like (W3C Trace Context section 3.2.2.3); anything else would have to be escaped. */
const TRACE_ID = /^[0-9a-f]{32}$/;

/** One series of a histogram. Not cumulative: a value counts in one bucket, and the sums are for whoever reads. */
export class Buckets {
  /** As labelText() wrote them. */
  readonly labels: string;
  readonly bounds: Bounds;
  /** One more than there are bounds. */
  readonly counts: Float64Array;
  sum = 0;
  /** The latest of each bucket; undefined as long as there is none at all. */
  exemplars: (Exemplar | undefined)[] | undefined = undefined;

  #lineStarts: readonly string[] | undefined = undefined;

  constructor(bounds: Bounds, labels: string) {
    this.bounds = bounds;
    this.labels = labels;
    this.counts = new Float64Array(bounds.values.length + 1);
  }

  /** @param value in the unit of the bounds */
  observe(value: number): void {
    const at = this.#bucketOf(value);
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
  }

  /** Makes a request the exemplar of its bucket. */
  keepExemplar(traceId: string, value: number, at: number): void {
    if (!TRACE_ID.test(traceId)) return;
    this.exemplars ??= Array.from(this.counts, () => undefined);
    this.exemplars[this.#bucketOf(value)] = { traceId, value, at };
  }

  /**
   * What the lines of its buckets begin with, up to the numbers. Kept, for most of a scrape would go into writing it anew.
   *
   * @param name of the metric that it belongs to
   */
  lineStarts(name: string): readonly string[] {
    const start = `${name}_bucket{${this.labels}${this.labels === '' ? '' : ','}le="`;
    // join() makes one piece of them; a template would leave them in parts, to be put together at every use.
    this.#lineStarts ??= this.bounds.texts.map((bound) => [start, bound, '"} '].join(''));
    return this.#lineStarts;
  }

  #bucketOf(value: number): number {
    const { values } = this.bounds;
    let i = 0;
    // There are some twelve, and most requests are fast: quicker than to halve.
    while (i < values.length && value > (values[i] ?? 0)) i++;
    return i;
  }
}
