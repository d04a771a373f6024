import type { Consumer, Exchange } from '../../core/index.js';
import { type Clients, consumerKey, credentialKey } from './client.js';
import { createPolicy, type Policy, type PolicyOptions, policyKey, type SharedBy } from './policy.js';
import type { TakeRequest } from './store.js';

/** One policy on one route. */
export interface LimitInit {
  readonly options: PolicyOptions;
  /** What sets its buckets apart from those of the same policy elsewhere; empty for all routes together. */
  readonly scope: string;
  /** Whether a consumer's own limit takes its place. */
  readonly replaceable: boolean;
}

interface CompiledLimit {
  readonly by: SharedBy;
  readonly policy: Policy;
  /** The bucket's key but for the client at its end. */
  readonly prefix: string;
  readonly replaceable: boolean;
  /** The service or the route, where the policy is for one. */
  readonly place: string;
}

interface OwnLimit {
  readonly policy: Policy;
  readonly prefix: string;
  readonly cost: number;
}

/** The policies of one route: works out, per request, from which buckets to take. */
export class LimitSet {
  readonly #limits: readonly CompiledLimit[];
  readonly #clients: Clients;
  readonly #cost: number;
  /** What consumers' own limits come to here. */
  readonly #own = new WeakMap<object, OwnLimit>();

  /** @param cost tokens that a request of this route takes, at most each policy's burst */
  constructor(
    limits: readonly LimitInit[],
    place: { readonly service: string; readonly route: string },
    cost: number,
    clients: Clients,
  ) {
    this.#cost = cost;
    this.#clients = clients;
    this.#limits = limits.map(({ options, scope, replaceable }) => {
      const policy = createPolicy(options);
      const at = placeOf(options.by, place);
      const prefix = `${policyKey(policy)}|${scope}|${at}|`;
      return { by: options.by, policy, prefix, replaceable, place: at };
    });
  }

  /** What to take for a request; empty where no policy is about it. */
  requestsFor(exchange: Exchange): TakeRequest[] {
    const requests: TakeRequest[] = [];
    const { consumer } = exchange;
    for (const limit of this.#limits) {
      if (limit.replaceable && consumer?.rateLimit !== undefined) {
        const { policy, prefix, cost } = this.#ownLimit(consumer.rateLimit, limit);
        requests.push({ key: prefix + credentialKey(consumer), policy, cost });
        continue;
      }
      const client = this.#clientOf(limit.by, exchange, consumer);
      if (client !== undefined)
        requests.push({ key: limit.prefix + client, policy: limit.policy, cost: this.#cost });
    }
    return requests;
  }

  #clientOf(by: SharedBy, exchange: Exchange, consumer: Consumer | undefined): string | undefined {
    switch (by) {
      case 'client':
      case 'client-service':
      case 'client-route':
        return this.#clients.client(exchange);
      case 'address':
        return this.#clients.address(exchange);
      case 'consumer':
        return consumer === undefined ? undefined : consumerKey(consumer);
      default:
        return '';
    }
  }

  #ownLimit(rateLimit: NonNullable<Consumer['rateLimit']>, limit: CompiledLimit): OwnLimit {
    let own = this.#own.get(rateLimit);
    if (own === undefined) {
      const policy = createPolicy({ ...rateLimit, name: limit.policy.name });
      const prefix = `${policyKey(policy)}|own|${limit.place}|`;
      // Where a consumer's bucket is smaller than the cost, the request takes all there is.
      own = { policy, prefix, cost: Math.min(this.#cost, policy.burst) };
      this.#own.set(rateLimit, own);
    }
    return own;
  }
}

function placeOf(by: SharedBy, place: { readonly service: string; readonly route: string }): string {
  if (by === 'service' || by === 'client-service') return place.service;
  return by === 'route' || by === 'client-route' ? place.route : '';
}
