import { DEFAULT_RETRIES } from '../config/retries-schema.js';
import type { ServiceSettings } from '../config/service-schema.js';
import type { Exchange } from '../exchange.js';
import { RetryBudget } from '../proxy/retries/budget.js';
import type { Balancer } from './balancer.js';
import { createBalancer } from './balancers/index.js';
import { PriorityGroups } from './balancers/priority-groups.js';
import type { Admission } from './limits/admission.js';
import type { SlowStarts } from './slow-start.js';
import type { Target } from './target.js';

/**
 * Where a service was declared: in the configuration file, among the gateway's own defaults, or at run time by an
 * administrator.
 */
export type ServiceOrigin = 'configuration' | 'default' | 'runtime';

/** What a {@link Service} is made of. */
export interface ServiceInit {
  readonly name: string;
  readonly origin: ServiceOrigin;
  readonly settings: ServiceSettings;
  /** One per entry of `settings.targets`, in the same order. */
  readonly targets: readonly Target[];
  /** Instead of the one that `settings.loadBalancing` asks for. */
  readonly balancer?: Balancer;
  /** In [0, 1); Math.random by default. */
  readonly random?: () => number;
  /** Gives growing shares to targets that return. */
  readonly slowStarts?: Pick<SlowStarts, 'begin'>;
  /** Limits the requests under way. */
  readonly admission?: Admission | undefined;
  /** Goes on where it has the limits that the settings ask for. */
  readonly retryBudget?: RetryBudget | undefined;
}

/**
 * A named set of upstream targets. Immutable apart from the state of its targets: a changed declaration makes a new
 * service, which takes over the {@link Target} objects that stay the same.
 */
export class Service {
  readonly name: string;
  readonly origin: ServiceOrigin;
  readonly settings: ServiceSettings;
  readonly targets: readonly Target[];
  readonly balancer: Balancer;
  /** What retries are taken from; its counters are for metrics. */
  readonly retryBudget: RetryBudget;
  /** Where each attempt asks to be let in, and says when it is over; undefined where no limit is set. */
  readonly admission: Admission | undefined;
  readonly #slowStarts: Pick<SlowStarts, 'begin'> | undefined;

  constructor(init: ServiceInit) {
    this.name = init.name;
    this.origin = init.origin;
    this.settings = init.settings;
    this.targets = init.targets;
    this.balancer = init.balancer ?? balancerOf(init.settings, init.random);
    const { budget } = init.settings.retries ?? DEFAULT_RETRIES;
    this.retryBudget = init.retryBudget?.keepsTo(budget) ? init.retryBudget : new RetryBudget(budget);
    this.admission = init.admission;
    this.#slowStarts = init.slowStarts;
    this.#tellBalancer();
  }

  /**
   * The target for a request, or undefined when no target may take one. One that is at its limit of concurrency is
   * picked only where no other is left.
   *
   * @param exchange what `consistent-hash` hashes; undefined outside a request
   * @param tried targets of earlier attempts, avoided where another is left
   */
  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const target = this.balancer.pick(exchange, tried);
    return target?.full ? this.#pickWithRoom(target, exchange, tried) : target;
  }

  /** Whether any target may take requests: healthy, with a weight above 0. */
  get healthy(): boolean {
    for (const target of this.targets) {
      if (target.healthy && target.weight > 0) return true;
    }
    return false;
  }

  /** To be called after the health, ejection, weight or warmth of a target changed. */
  refresh(): void {
    for (const target of this.targets) {
      const takesRequests = target.healthy && !target.ejected && target.weight > 0;
      if (takesRequests === target.takesRequests) continue;
      target.takesRequests = takesRequests;
      if (takesRequests) this.#slowStarts?.begin(target, this);
    }
    this.#tellBalancer();
  }

  // A target that was ejected is better than none.
  #tellBalancer(): void {
    const sound = this.targets.filter(({ healthy, weight }) => healthy && weight > 0);
    const takers = sound.filter(({ ejected }) => !ejected);
    this.balancer.update(takers.length > 0 ? takers : sound);
  }

  /** @param full what the balancer picked */
  #pickWithRoom(full: Target, exchange: Exchange | undefined, tried: readonly Target[] | undefined): Target {
    const avoided = this.targets.filter((target) => target.full || tried?.includes(target));
    const other = this.balancer.pick(exchange, avoided);
    return other === undefined || avoided.includes(other) ? full : other;
  }
}

function balancerOf(settings: ServiceSettings, random?: () => number): Balancer {
  const create = () => createBalancer(settings.loadBalancing, random);
  const priorities = new Set(settings.targets.map(({ priority = 0 }) => priority));
  return priorities.size > 1 ? new PriorityGroups(create) : create();
}
