import { DEFAULT_RETRIES } from '../../config/retries-schema.js';
import type { Route } from '../../plugin.js';
import type { Service } from '../../services/service.js';
import { RetryPolicy } from './policy.js';

/** The policies of one route: one for its own service, and one for each that a plugin leads its requests to. */
export class RoutePolicies {
  readonly #route: Route;
  readonly #own: RetryPolicy;
  readonly #others = new WeakMap<Service, RetryPolicy>();

  constructor(route: Route) {
    this.#route = route;
    this.#own = this.#make(route.service);
  }

  of(service: Service): RetryPolicy {
    if (service === this.#route.service) return this.#own;
    let policy = this.#others.get(service);
    if (policy === undefined) {
      policy = this.#make(service);
      this.#others.set(service, policy);
    }
    return policy;
  }

  #make({ settings }: Service): RetryPolicy {
    return new RetryPolicy(settings.retries ?? DEFAULT_RETRIES, this.#route.retries);
  }
}
