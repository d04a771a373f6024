import { type Bounds, Buckets } from './buckets.js';
import { DecisionCounts } from './decisions.js';
import { labelText } from './labels.js';

/** RFC 9110 section 9.3, and PATCH (RFC 5789); whatever else a client writes there is OTHER. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'OTHER'];
const METHOD_INDEX: ReadonlyMap<string, number> = new Map(METHODS.map((method, index) => [method, index]));
const OTHER_METHOD = METHODS.length - 1;
/** Statuses have three digits. */
const STATUSES = 1000;

/** Requests of one route with method, status and code in common. */
export interface RequestCount {
  readonly labels: string;
  count: number;
}

/** The upper bounds of the histograms' buckets, in seconds. */
export interface HistogramBounds {
  readonly requests: Bounds;
  readonly upstream: Bounds;
}

/** What was counted of one service; of the requests that matched no route in one whose name is empty. */
export class ServiceTraffic {
  readonly labels: string;
  readonly decisions: DecisionCounts;
  receivedBytes = 0;
  sentBytes = 0;
  attempts = 0;
  retries = 0;
  upstream: Buckets;

  constructor(service: string, bounds: HistogramBounds) {
    this.labels = labelText({ service });
    this.decisions = new DecisionCounts(this.labels);
    this.upstream = new Buckets(bounds.upstream, this.labels);
  }

  forgetDurations({ upstream }: HistogramBounds): void {
    this.upstream = new Buckets(upstream, this.labels);
  }
}

/** What was counted of one route, as far as it led to one service. */
export class RouteTraffic {
  readonly service: ServiceTraffic;
  readonly #names: { readonly service: string; readonly route: string };
  readonly #counts = new Map<number, RequestCount>();
  #durations: (Buckets | undefined)[] = [];

  constructor(service: ServiceTraffic, names: { readonly service: string; readonly route: string }) {
    this.service = service;
    this.#names = names;
  }

  /** @returns where requests of this kind are counted */
  countOf(method: number, status: number, code: string | undefined, codes: CodeNumbers): RequestCount {
    const key = (codes.of(code) * METHODS.length + method) * STATUSES + status;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const labels = {
      ...this.#names,
      method: METHODS[method] ?? '',
      status: String(status),
      code: code ?? '',
    };
    const made = { labels: labelText(labels), count: 0 };
    this.#counts.set(key, made);
    return made;
  }

  durationsOf(method: number, bounds: Bounds): Buckets {
    const known = this.#durations[method];
    if (known !== undefined) return known;
    const labels = labelText({ ...this.#names, method: METHODS[method] ?? '' });
    const made = new Buckets(bounds, labels);
    this.#durations[method] = made;
    return made;
  }

  get counts(): Iterable<RequestCount> {
    return this.#counts.values();
  }

  get durations(): readonly Buckets[] {
    return this.#durations.filter((buckets) => buckets !== undefined);
  }

  forgetDurations(): void {
    this.#durations = [];
  }
}

/** Error codes as small numbers, for keys; 0 is none. There are as many as the error table has. */
export class CodeNumbers {
  readonly #numbers = new Map<string, number>();

  of(code: string | undefined): number {
    if (code === undefined) return 0;
    let known = this.#numbers.get(code);
    if (known === undefined) {
      known = this.#numbers.size + 1;
      this.#numbers.set(code, known);
    }
    return known;
  }
}

/** The index of a request's method. */
export function methodIndex(method: string | undefined): number {
  return METHOD_INDEX.get(method ?? '') ?? OTHER_METHOD;
}
