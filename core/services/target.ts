import type { Dispatcher } from 'undici';
import type { AdaptiveLimit } from './limits/adaptive-limit.js';
import type { TargetOutlier } from './outliers/target-outlier.js';

/** What the configuration or an admin call says of a target. */
export interface TargetInit {
  /** Origin only, `http:` or `https:`, no path. */
  readonly url: string;
  /** Share of the traffic relative to the service's other targets; 0 to 1000, 0 for none. */
  readonly weight: number;
  /** Its group: the lowest number first, 0 by default. See balancers/priority-groups.ts. */
  readonly priority?: number;
}

/** The {@link Target.warmth} of a target that gets its whole share. */
export const WARM = 100;

/**
 * One upstream server of a service. Lives as long as its service is registered with the same url; its counters,
 * health and ejection survive a reload.
 */
export class Target {
  readonly url: string;
  readonly protocol: 'http:' | 'https:';
  readonly hostname: string;
  /** TCP port, also where the url left it out. */
  readonly port: number;
  weight: number;
  /** Targets of a higher number are backups of those of a lower one. */
  priority: number;
  /** Gets requests. True until a health check says otherwise. */
  healthy = true;
  /** Taken out for a while, because real requests to it failed; see outliers/ejection.ts. */
  ejected = false;
  /** Whether it could take requests at the service's latest refresh; set by the service only. */
  takesRequests = true;
  /** Percent of its share of the traffic, 1 to {@link WARM}; less while it starts slowly. */
  warmth = WARM;
  /** Requests and upgraded connections under way. */
  active = 0;
  /** Attempts that the service's admission has let in and that have not left; 0 where there is none. */
  admitted = 0;
  /** The most that {@link admitted} may be; Infinity for no limit. Set by the service's admission only. */
  capacity = Number.POSITIVE_INFINITY;
  /** What moves {@link capacity}, where the limit is an adaptive one. */
  limiter: AdaptiveLimit | undefined = undefined;
  /** Where the outcome of each attempt is to be recorded; undefined where ejection is off. */
  outlier: TargetOutlier | undefined = undefined;
  /** When the last health check ended, in milliseconds since the epoch. */
  lastHealthCheck: number | undefined = undefined;
  /** The pool of connections; shared with other targets of the same url and connection settings. */
  readonly dispatcher: Dispatcher;

  constructor(init: TargetInit, dispatcher: Dispatcher) {
    const url = new URL(init.url);
    this.url = url.origin;
    this.protocol = url.protocol === 'https:' ? 'https:' : 'http:';
    this.hostname = url.hostname;
    this.port = url.port === '' ? (this.protocol === 'https:' ? 443 : 80) : Number(url.port);
    this.weight = init.weight;
    this.priority = init.priority ?? 0;
    this.dispatcher = dispatcher;
  }

  /** What balancers go by: the weight, less while the target starts slowly. An integer; {@link WARM} times the weight at most. */
  get effectiveWeight(): number {
    return this.weight * this.warmth;
  }

  /** Whether no more requests are admitted to it at present. */
  get full(): boolean {
    return this.admitted >= this.capacity;
  }
}
