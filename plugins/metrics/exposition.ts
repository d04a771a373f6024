import type { Buckets } from './buckets.js';

/** The two formats that Prometheus reads. */
export type Format = 'prometheus' | 'openmetrics';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'unknown';

/** The name of a metric and what is said of it before its samples. */
export interface Family {
  /** As queries have it; a counter's ends in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** So many characters are collected before they are encoded: far less work than the whole text at once. */
const CHUNK = 4096;

/**
 * The text of one scrape: the Prometheus text format 0.0.4, or OpenMetrics 1.0.0. Metrics are written one after the other,
 * all samples of a metric together. A name is given to the first who asks for it.
 */
export class Exposition {
  readonly #openMetrics: boolean;
  readonly #names = new Set<string>();
  #name = '';
  #text = '';
  #bytes: Buffer;
  #length = 0;

  /** @param size bytes that are likely to be needed */
  constructor(format: Format, size = 0) {
    this.#openMetrics = format === 'openmetrics';
    this.#bytes = Buffer.allocUnsafe(Math.max(Math.ceil(size), 4 * CHUNK));
  }

  /** Whether samples of such a metric would mix with those of one that is there already. */
  isTaken({ name, type }: Pick<Family, 'name' | 'type'>): boolean {
    return sampleNames(name, type).some((each) => this.#names.has(each));
  }

  /** Begins a metric; the samples after it are its own. To be asked {@link isTaken} first for names that others chose. */
  begin({ name, help, type }: Family): void {
    for (const each of sampleNames(name, type)) this.#names.add(each);
    this.#name = name;
    // OpenMetrics has the family of a counter without the `_total` of its samples.
    const family = this.#openMetrics && type === 'counter' ? name.replace(/_total$/, '') : name;
    const prometheusType = type === 'unknown' ? 'untyped' : type;
    this.#write(`# HELP ${family} ${this.#escapeHelp(help)}\n`);
    this.#write(`# TYPE ${family} ${this.#openMetrics ? type : prometheusType}\n`);
  }

  /**
   * One sample of the metric that was begun.
   *
   * @param labels as labelText() wrote them
   * @param suffix of the sample's name, such as `_sum`
   */
  sample(labels: string, value: number, suffix = ''): void {
    const braces = labels === '' ? '' : `{${labels}}`;
    this.#write(`${this.#name}${suffix}${braces} ${number(value)}\n`);
  }

  /** All samples of one series of the histogram that was begun, with exemplars where the format has them. */
  histogram(buckets: Buckets): void {
    const { labels, counts, exemplars } = buckets;
    const starts = buckets.lineStarts(this.#name);
    let text = '';
    let seen = 0;
    for (let i = 0; i < counts.length; i++) {
      seen += counts[i] ?? 0;
      text += `${starts[i]}${seen}`;
      const exemplar = this.#openMetrics ? exemplars?.[i] : undefined;
      if (exemplar !== undefined) {
        text += ` # {trace_id="${exemplar.traceId}"} ${exemplar.value} ${exemplar.at / 1000}`;
      }
      text += '\n';
    }
    this.#write(text);
    this.sample(labels, buckets.sum, '_sum');
    this.sample(labels, seen, '_count');
  }

  /** The whole text, in UTF-8. */
  end(): Buffer {
    if (this.#openMetrics) this.#text += '# EOF\n';
    this.#flush();
    return this.#bytes.subarray(0, this.#length);
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#text.length >= CHUNK) this.#flush();
  }

  #flush(): void {
    // The most that UTF-8 may need.
    const needed = this.#length + 3 * this.#text.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(this.#text, this.#length);
    this.#text = '';
  }

  #escapeHelp(help: string): string {
    const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    return this.#openMetrics ? escaped.replaceAll('"', '\\"') : escaped;
  }
}

/** The names that the samples of a metric may have, and that of the metric itself. */
function sampleNames(name: string, type: MetricType): string[] {
  if (type === 'counter') return [name, name.replace(/_total$/, '')];
  if (type === 'histogram') return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
  if (type === 'summary') return [name, `${name}_sum`, `${name}_count`];
  return [name];
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
