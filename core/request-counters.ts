import type { Clock } from './clock.js';
import type { GatewayRequest } from './exchange.js';
import { Latencies, type Percentiles } from './statistics/latency.js';
import { wasSuccessful } from './statistics/outcome.js';

/** The most services that are counted apart; beyond, the one known for the longest time is dropped. */
const MOST_SERVICES = 10_000;

/** Counts some requests, and measures their durations. */
export class RequestTally {
  #total = 0;
  #successful = 0;
  readonly #latencies = new Latencies();

  /** @param now on the scale of `request.startedAt` */
  count(request: GatewayRequest, successful: boolean, now: number): void {
    this.#total++;
    if (successful) this.#successful++;
    this.#latencies.record(now - request.startedAt, now);
  }

  get total(): number {
    return this.#total;
  }

  get failed(): number {
    return this.#total - this.#successful;
  }

  get successful(): number {
    return this.#successful;
  }

  /** Of the last five to ten minutes. */
  percentiles(now: number): Percentiles {
    return this.#latencies.percentiles(now);
  }
}

/**
 * Counts the requests for services since the start of the gateway, those that matched no route among them. The gateway's
 * own routes are not counted. A request was successful when its response was below 400 and was delivered in full.
 */
export class RequestCounters {
  readonly #clock: Clock;
  readonly #all = new RequestTally();
  readonly #services = new Map<string, RequestTally>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a request that is over. */
  readonly count = (request: GatewayRequest): void => {
    request.counted = true;
    const now = this.#clock.monotonic();
    const successful = wasSuccessful(request);
    this.#all.count(request, successful, now);
    if (request.isExchange()) this.#tallyOf(request.service.name).count(request, successful, now);
  };

  get total(): number {
    return this.#all.total;
  }

  get failed(): number {
    return this.#all.failed;
  }

  get successful(): number {
    return this.#all.successful;
  }

  /** Of all requests in the last five to ten minutes. */
  percentiles(): Percentiles {
    return this.#all.percentiles(this.#clock.monotonic());
  }

  /** The services that had requests, by name, with the percentiles of each. */
  *services(): Iterable<readonly [name: string, tally: RequestTally, percentiles: Percentiles]> {
    const now = this.#clock.monotonic();
    for (const [name, tally] of this.#services) yield [name, tally, tally.percentiles(now)];
  }

  /** Forgets the services that are not in `names`: they are gone, and their counts with them. */
  keepServices(names: ReadonlySet<string>): void {
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
  }

  #tallyOf(service: string): RequestTally {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const [oldest] = this.#services.keys();
    if (this.#services.size >= MOST_SERVICES && oldest !== undefined) this.#services.delete(oldest);
    const tally = new RequestTally();
    this.#services.set(service, tally);
    return tally;
  }
}
