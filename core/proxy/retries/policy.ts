import type { RetrySettings, RouteRetrySettings } from '../../config/retries-schema.js';
import type { FailureCause } from './failure.js';

/** What is retried on a route towards one service, and how; worked out once. */
export class RetryPolicy {
  /** Most attempts, the first included. */
  readonly attempts: number;
  /** Whether a target that refused or broke off is tried again where there is no other. */
  readonly sameTarget: boolean;
  /** For the head of one attempt, in milliseconds; 0 for no limit. */
  readonly perTryTimeout: number;
  /** Most bytes of a body that are kept. */
  readonly bufferLimit: number;
  /** Longest `Retry-After` that is waited for, in milliseconds. */
  readonly retryAfterMax: number;
  /** The lowest status that is a failure, or tried again: below, a head needs no further look. */
  readonly suspectFrom: number;
  readonly #backoff: RetrySettings['backoff'];
  readonly #methods: ReadonlySet<string>;
  readonly #causes: ReadonlySet<string>;
  readonly #statuses: ReadonlySet<number>;

  /** @param route what the route has instead of the service's settings */
  constructor(service: RetrySettings, route: RouteRetrySettings = {}) {
    const settings = { ...service, ...route };
    this.attempts = settings.attempts;
    this.sameTarget = settings.sameTarget;
    this.perTryTimeout = settings.perTryTimeout;
    this.bufferLimit = settings.bufferLimit;
    this.retryAfterMax = settings.retryAfterMax;
    this.#backoff = { ...service.backoff, ...route.backoff };
    this.#methods = new Set(settings.methods);
    const causes = settings.on.map(String);
    this.#causes = new Set(causes);
    this.#statuses = new Set(causes.flatMap(statusesOf));
    this.suspectFrom = Math.min(500, ...this.#statuses);
  }

  /** Whether requests of this method may be repeated after an upstream has seen them. */
  repeats(method: string): boolean {
    return this.#methods.has(method);
  }

  retriesStatus(status: number): boolean {
    return this.#statuses.has(status);
  }

  /** @param perTry whether it was the limit on one attempt that ran out: to set one is to ask for a retry */
  retriesCause(cause: FailureCause, perTry: boolean): boolean {
    return perTry || this.#causes.has(cause);
  }

  /**
   * The wait before a retry, in milliseconds.
   *
   * @param round 0 for the first wait
   * @param random in [0, 1)
   */
  backoff(round: number, random: number): number {
    const { base, max, jitter } = this.#backoff;
    return Math.min(base * 2 ** round, max) * (1 - jitter * random);
  }
}

function statusesOf(cause: string): number[] {
  if (/^\dxx$/.test(cause)) return Array.from({ length: 100 }, (_, i) => Number(cause[0]) * 100 + i);
  return /^\d{3}$/.test(cause) ? [Number(cause)] : [];
}
