import type { ServiceSettings } from '../config/schema.js';
import type { Exchange } from '../exchange.js';
import type { Balancer } from './balancer.js';
import { createBalancer } from './balancers/index.js';
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
}

/**
 * A named set of upstream targets. Immutable apart from the health of its targets: a changed declaration makes a new
 * service, which takes over the {@link Target} objects that stay the same.
 */
export class Service {
  readonly name: string;
  readonly origin: ServiceOrigin;
  readonly settings: ServiceSettings;
  readonly targets: readonly Target[];
  readonly balancer: Balancer;

  constructor(init: ServiceInit) {
    this.name = init.name;
    this.origin = init.origin;
    this.settings = init.settings;
    this.targets = init.targets;
    this.balancer = init.balancer ?? createBalancer(init.settings.loadBalancing, init.random);
    this.refresh();
  }

  /**
   * The target for a request, or undefined when no target may take one.
   *
   * @param exchange what `consistent-hash` hashes; undefined outside a request
   * @param tried targets of earlier attempts, avoided where another is left
   */
  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    return this.balancer.pick(exchange, tried);
  }

  /** Whether any target may take requests: healthy, with a weight above 0. */
  get healthy(): boolean {
    for (const target of this.targets) {
      if (target.healthy && target.weight > 0) return true;
    }
    return false;
  }

  /** Tells the balancer which targets may take requests. To be called after their health or weight changed. */
  refresh(): void {
    this.balancer.update(this.targets.filter((target) => target.healthy && target.weight > 0));
  }
}
