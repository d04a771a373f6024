import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  ConfigurationError,
  type GatewayContext,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  KEPT_STATE,
  type KeptState,
  OPTIONS,
  PLUGIN_ID,
  type PluginStats,
  type Route,
} from '../../core/index.js';
import { Clients } from './client.js';
import { type ExemptionOptions, Exemptions } from './exemptions.js';
import { type HeaderOptions, resetSeconds, setRateLimitHeaders } from './headers.js';
import { LimitSet } from './limit-set.js';
import { MemoryStore } from './memory-store.js';
import type { PolicyOptions, SharedBy } from './policy.js';
import type { BucketStore, Decision, TakeRequest } from './store.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    /** What the rate limit made of the request. */
    rate_limit: 'allowed' | 'limited' | 'exempt';
  }
}

/** Options of the rate limit. */
export interface RateLimitOptions {
  readonly requests: number;
  /** Milliseconds. */
  readonly window: number;
  readonly burst?: number;
  readonly by: SharedBy;
  readonly cost: number;
  readonly policies: readonly PolicyOptions[];
  readonly exemptions: ExemptionOptions;
  readonly maxClients: number;
  readonly headers: HeaderOptions;
}

interface Kept {
  readonly store: MemoryStore;
  /** Requests refused since the gateway's start. */
  refused: number;
}

/** Admits requests as long as there are tokens in the buckets that they share with others of the same client. */
@injectable()
export class RateLimit implements GatewayPlugin<RateLimitOptions> {
  readonly hooks = { onReady: () => this.#kept.store.resize(this.#options.maxClients) };
  readonly #options: RateLimitOptions;
  readonly #pluginId: string;
  readonly #clock: Clock;
  readonly #kept: Kept;
  readonly #store: BucketStore;
  readonly #clients = new Clients();

  constructor(
    @inject(OPTIONS) options: RateLimitOptions,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) keptState: KeptState,
  ) {
    this.#options = options;
    this.#pluginId = pluginId;
    this.#clock = clock;
    this.#kept = keptState.keep(`rate-limit-token-bucket ${pluginId}`, () => ({
      store: new MemoryStore(options.maxClients),
      refused: 0,
    }));
    this.#store = this.#kept.store;
  }

  /** @throws ConfigurationError when the options contradict each other */
  middleware(route: Route, options: RateLimitOptions): GatewayMiddleware {
    const { headers } = options;
    const limits = this.#limitsOf(route, options);
    const exemptions = Exemptions.of(options.exemptions);
    return (ctx, next) => {
      const exchange = ctx.gateway;
      if (exemptions?.has(exchange)) {
        exchange.decide('rate_limit', 'exempt');
        return next();
      }
      const requests = limits.requestsFor(exchange);
      if (requests.length === 0) return next();
      const decision = this.#store.take(requests, this.#clock.monotonic());
      if (decision instanceof Promise) {
        return decision.then((decided) => {
          this.#apply(ctx, decided, requests, headers);
          return next();
        });
      }
      this.#apply(ctx, decision, requests, headers);
      return next();
    };
  }

  stats(): PluginStats {
    return {
      config: { enable_rate_limiting: true },
      stats: { request_stats: { rate_limited_requests: this.#kept.refused } },
    };
  }

  /** @throws GatewayError RATE_LIMITED where the request is not admitted */
  #apply(
    ctx: GatewayContext,
    decision: Decision,
    requests: readonly TakeRequest[],
    headers: HeaderOptions,
  ): void {
    setRateLimitHeaders(ctx, decision, requests, headers);
    ctx.gateway.decide('rate_limit', decision.admitted ? 'allowed' : 'limited');
    if (decision.admitted) return;
    this.#kept.refused++;
    throw new GatewayError('RATE_LIMITED', { headers: { 'Retry-After': String(resetSeconds(decision)) } });
  }

  #limitsOf(route: Route, options: RateLimitOptions): LimitSet {
    const policies = policiesOf(options);
    this.#check(policies, options.cost, route);
    const general = new Map(policiesOf(this.#options).map((policy) => [policy.name, policy]));
    const limits = policies.map((policy, position) => ({
      options: policy,
      scope: isSameLimit(policy, general.get(policy.name)) ? '' : this.#scopeOf(route),
      replaceable: position === 0 && (policy.by === 'consumer' || policy.by.startsWith('client')),
    }));
    return new LimitSet(
      limits,
      { service: route.service.name, route: route.id },
      options.cost,
      this.#clients,
    );
  }

  /** A limit of its own has buckets of its own: for all routes of a service that overrides it, else for the route. */
  #scopeOf({ id, service }: Route): string {
    return typeof service.settings.plugins[this.#pluginId] === 'object'
      ? `service ${service.name}`
      : `route ${id}`;
  }

  #check(policies: readonly PolicyOptions[], cost: number, route: Route): void {
    const mistakes = policies.flatMap((policy, position) => {
      const { name, requests, burst = requests } = policy;
      const at = position === 0 ? '' : `policies[${position - 1}].`;
      const file = `plugin ${this.#pluginId}, route ${route.id}`;
      const twice = policies.findIndex((other) => other.name === name) < position;
      return [
        ...(cost > burst
          ? [{ file, path: 'cost', found: String(cost), expected: `at most ${at}burst, which is ${burst}` }]
          : []),
        ...(twice
          ? [
              {
                file,
                path: `${at}name`,
                found: `"${name}" again`,
                expected: 'a name that no other policy has',
              },
            ]
          : []),
      ];
    });
    if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  }
}

/** The name of the policy that the options themselves make. */
const DEFAULT_POLICY = 'default';

function policiesOf(options: RateLimitOptions): PolicyOptions[] {
  const { requests, window, burst, by } = options;
  const own = { name: DEFAULT_POLICY, by, requests, window, ...(burst === undefined ? {} : { burst }) };
  return [own, ...options.policies];
}

function isSameLimit(a: PolicyOptions, b: PolicyOptions | undefined): boolean {
  return (
    b !== undefined &&
    a.by === b.by &&
    a.requests === b.requests &&
    a.window === b.window &&
    (a.burst ?? a.requests) === (b.burst ?? b.requests)
  );
}
