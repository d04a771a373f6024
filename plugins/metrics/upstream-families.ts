import type { Service, ServiceRegistry, Target } from '../../core/index.js';
import type { Exposition, Family } from './exposition.js';
import { labelText } from './labels.js';

/** undici's Pool.stats; a pool of another make may lack it. */
interface PoolStats {
  readonly connected: number;
  readonly free: number;
  readonly pending: number;
}

/** What is known of the targets of one URL in one service. */
interface TargetState {
  readonly labels: string;
  healthy: boolean;
  ejected: boolean;
  active: number;
  /** Infinity for none. */
  limit: number;
  readonly pool: PoolStats | undefined;
}

const SERVICES: Family = { name: 'gateway_services', help: 'Services that there are.', type: 'gauge' };

const PER_TARGET: readonly (Family & { readonly of: (state: TargetState) => number | undefined })[] = [
  {
    name: 'gateway_requests_in_flight',
    help: 'Requests and upgraded connections under way at the target.',
    type: 'gauge',
    of: ({ active }) => active,
  },
  {
    name: 'gateway_target_concurrency_limit',
    help: 'The most attempts that the target may have under way, if limited; adaptive limits move.',
    type: 'gauge',
    of: ({ limit }) => (limit === Number.POSITIVE_INFINITY ? undefined : limit),
  },
  {
    name: 'gateway_target_healthy',
    help: 'Whether health checks find the target well: 1 or 0.',
    type: 'gauge',
    of: ({ healthy }) => Number(healthy),
  },
  {
    name: 'gateway_target_ejected',
    help: 'Whether the target is out for a while because requests to it failed: 1 or 0.',
    type: 'gauge',
    of: ({ ejected }) => Number(ejected),
  },
  {
    name: 'gateway_pool_connections',
    help: 'Open connections in the pool of the target.',
    type: 'gauge',
    of: ({ pool }) => pool?.connected,
  },
  {
    name: 'gateway_pool_idle_connections',
    help: 'Open connections in the pool of the target that wait for a request.',
    type: 'gauge',
    of: ({ pool }) => pool?.free,
  },
  {
    name: 'gateway_pool_queued_requests',
    help: 'Requests that wait for a connection in the pool of the target.',
    type: 'gauge',
    of: ({ pool }) => pool?.pending,
  },
];

const PER_SERVICE: readonly (Family & { readonly of: (service: Service) => number | undefined })[] = [
  {
    name: 'gateway_retry_budget_available',
    help: 'Retries that the budget of the service allows now.',
    type: 'gauge',
    of: ({ retryBudget }) => retryBudget.available,
  },
  {
    name: 'gateway_retries_refused_total',
    help: 'Retries that were not made for want of budget.',
    type: 'counter',
    of: ({ retryBudget }) => retryBudget.exhausted,
  },
  {
    name: 'gateway_concurrency_limit',
    help: 'The most attempts under way that the service as a whole admits, where it has a limit.',
    type: 'gauge',
    of: ({ admission }) => (admission?.limit === Number.POSITIVE_INFINITY ? undefined : admission?.limit),
  },
  {
    name: 'gateway_concurrency_queued_requests',
    help: 'Requests that wait to be admitted, where the service has a limit.',
    type: 'gauge',
    of: ({ admission }) => admission?.queueLength,
  },
];

/** Writes the state of services, targets and connection pools. */
export function writeUpstreams(registry: ServiceRegistry, out: Exposition): void {
  const services = registry.list();
  out.begin(SERVICES);
  out.sample('', services.length);
  const labelled = services.map((service) => ({ service, labels: labelText({ service: service.name }) }));
  for (const family of PER_SERVICE) {
    out.begin(family);
    for (const { service, labels } of labelled) {
      const value = family.of(service);
      if (value !== undefined) out.sample(labels, value);
    }
  }
  const pools = new PoolStatsReader();
  const states = labelled.flatMap(({ service, labels }) => statesOf(service.targets, labels, pools));
  for (const family of PER_TARGET) {
    out.begin(family);
    for (const state of states) {
      const value = family.of(state);
      if (value !== undefined) out.sample(state.labels, value);
    }
  }
}

/**
 * A URL that a service lists twice is one series, or a scraper would see two values for it.
 *
 * @param service its labels
 */
function statesOf(targets: readonly Target[], service: string, pools: PoolStatsReader): TargetState[] {
  const byUrl = new Map<string, TargetState>();
  for (const target of targets) {
    const known = byUrl.get(target.url);
    if (known === undefined) {
      byUrl.set(target.url, {
        labels: `${service},${labelText({ target: target.url })}`,
        healthy: target.healthy,
        ejected: target.ejected,
        active: target.active,
        limit: target.capacity,
        pool: pools.of(target),
      });
    } else {
      known.healthy ||= target.healthy;
      known.ejected &&= target.ejected;
      known.active += target.active;
      known.limit += target.capacity;
    }
  }
  return [...byUrl.values()];
}

/** Reads the state of each pool once in a scrape: undici looks at every connection for it, and services share pools. */
class PoolStatsReader {
  readonly #known = new Map<Target['dispatcher'], PoolStats | undefined>();

  of({ dispatcher }: Target): PoolStats | undefined {
    if (this.#known.has(dispatcher)) return this.#known.get(dispatcher);
    const stats: unknown = 'stats' in dispatcher ? dispatcher.stats : undefined;
    const found = isPoolStats(stats) ? stats : undefined;
    this.#known.set(dispatcher, found);
    return found;
  }
}

function isPoolStats(stats: unknown): stats is PoolStats {
  if (typeof stats !== 'object' || stats === null) return false;
  const { connected, free, pending }: Partial<Record<keyof PoolStats, unknown>> = stats;
  return typeof connected === 'number' && typeof free === 'number' && typeof pending === 'number';
}
