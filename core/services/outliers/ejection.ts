import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock.js';
import type { OutlierEjectionSettings } from '../../config/service-schema.js';
import type { GatewayEventMap, GatewayEvents } from '../../events.js';
import type { Logger } from '../../log/logger.js';
import { DueTimer } from '../due-timer.js';
import type { Service } from '../service.js';
import type { Target } from '../target.js';
import { type EjectionCourt, type EjectionReason, TargetOutlier } from './target-outlier.js';

/** What {@link OutlierEjection} works with. */
export interface OutlierEjectionInit {
  readonly clock: Clock;
  readonly events: GatewayEvents;
  readonly logger?: Logger | undefined;
}

type ReturnReason = GatewayEventMap['target.returned'][0]['reason'];

/**
 * Passive health checks: takes targets out for a while that fail real requests. One for all services, with one timer
 * for all ejections. Of a service's targets, never more than the configured share is out, and never the last that
 * takes requests.
 */
export class OutlierEjection implements EjectionCourt {
  readonly #clock: Clock;
  readonly #events: GatewayEvents;
  readonly #logger: Logger | undefined;
  readonly #timer: DueTimer<TargetOutlier>;

  constructor({ clock, events, logger }: OutlierEjectionInit) {
    this.#clock = clock;
    this.#events = events;
    this.#logger = logger;
    this.#timer = new DueTimer(clock, (outlier) => this.#takeBack(outlier, 'time'));
  }

  /** How many targets are out. */
  get size(): number {
    return this.#timer.size;
  }

  /**
   * Records the targets of a service from now on. A target that it shares with the service it replaces keeps its
   * record and stays out, unless the policy is another or the share allows fewer. The caller refreshes the service
   * afterwards.
   */
  watch(service: Service): void {
    const policy = policyOf(service);
    for (const target of service.targets) {
      const known = target.outlier;
      if (known !== undefined && isDeepStrictEqual(known.policy, policy)) {
        known.service = service;
        continue;
      }
      if (known !== undefined) this.#forget(known);
      target.outlier =
        policy && new TargetOutlier({ target, service, policy, clock: this.#clock, court: this });
    }
    for (const outlier of this.#tooMany(service)) this.#takeBack(outlier, 'share');
  }

  /** Ends the records of the targets that no other service has taken over. */
  unwatch(service: Service): void {
    for (const { outlier } of service.targets) {
      if (outlier?.service === service) this.#forget(outlier);
    }
  }

  /** Ends the timer; what is out stays so. */
  stop(): void {
    this.#timer.clear();
  }

  accuse(outlier: TargetOutlier, reason: EjectionReason): void {
    const { target, service } = outlier;
    const { out, most } = count(service, outlier.policy);
    const another = service.targets.some((other) => other !== target && takesRequests(other));
    if (target.weight === 0 || !another || out >= most) return;
    const now = this.#clock.monotonic();
    const period = outlier.begin(now);
    target.ejected = true;
    this.#timer.set(outlier, now + period);
    service.refresh();
    const facts = { service: service.name, target: target.url, reason, period, ejections: outlier.ejections };
    this.#logger?.warn(facts, 'A target fails requests and is ejected');
    this.#announce(facts.service, () => this.#events.emit('target.ejected', facts));
  }

  acquit(outlier: TargetOutlier): void {
    this.#takeBack(outlier, 'health-check');
  }

  #takeBack(outlier: TargetOutlier, reason: ReturnReason): void {
    const { target, service } = outlier;
    this.#timer.delete(outlier);
    outlier.end(this.#clock.monotonic());
    target.ejected = false;
    service.refresh();
    const facts = { service: service.name, target: target.url, reason };
    this.#logger?.info(facts, 'An ejected target returns');
    this.#announce(facts.service, () => this.#events.emit('target.returned', facts));
  }

  #forget(outlier: TargetOutlier): void {
    const { target } = outlier;
    if (target.ejected) this.#takeBack(outlier, 'policy');
    target.outlier = undefined;
  }

  /** The targets to take back so that no more are out than the share allows: those that would return first. */
  #tooMany(service: Service): TargetOutlier[] {
    const policy = policyOf(service);
    if (policy === undefined) return [];
    const { out, most } = count(service, policy);
    if (out <= most) return [];
    return service.targets
      .flatMap(({ ejected, weight, outlier }) => (ejected && weight > 0 && outlier ? [outlier] : []))
      .sort((a, b) => a.dueAt - b.dueAt)
      .slice(0, out - most);
  }

  // A listener that throws must not fail the request whose outcome was recorded.
  #announce(service: string, emit: () => void): void {
    try {
      emit();
    } catch (error) {
      this.#logger?.error({ service, err: error }, 'A listener for the ejection of a target failed');
    }
  }
}

/** The policy of a service; undefined where nothing would ever be ejected. */
function policyOf({ settings }: Service): OutlierEjectionSettings | undefined {
  const policy = settings.outlierEjection;
  const off = policy === undefined || (policy.consecutiveFailures === 0 && policy.failureRatio === 0);
  return off ? undefined : policy;
}

function takesRequests({ healthy, ejected, weight }: Target): boolean {
  return healthy && !ejected && weight > 0;
}

/** How many of the targets with a weight are out, and the most that may be. */
function count(service: Service, { maxShare }: OutlierEjectionSettings): { out: number; most: number } {
  let counted = 0;
  let out = 0;
  for (const { weight, ejected } of service.targets) {
    if (weight === 0) continue;
    counted++;
    if (ejected) out++;
  }
  // 0.29 * 100 is a little less than 29.
  return { out, most: Math.min(Math.floor(maxShare * counted + 1e-9), counted - 1) };
}
