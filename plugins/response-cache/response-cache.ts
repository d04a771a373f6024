import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  type EndpointRouter,
  type GatewayPlugin,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  OPTIONS,
  PLUGIN_ID,
  type PluginStats,
  type RepeatingMiddleware,
  type Route,
  SERVICES,
  type ServiceRegistry,
} from '../../core/index.js';
import { mountAdminRoutes } from './admin-routes.js';
import { CacheState } from './cache-state.js';
import { metricsOf } from './metrics.js';
import type { CachePolicy } from './policy.js';
import { RouteCache, type RouteCacheOptions } from './route-cache.js';

/** Options of the response cache; times in milliseconds, sizes in bytes. */
export interface ResponseCacheOptions extends CachePolicy {
  readonly requestDirectives: boolean;
  readonly maxSize: number;
  readonly maxEntries: number;
  readonly maxEntrySize: number;
  readonly coalesce: RouteCacheOptions['coalesce'];
}

/** An HTTP cache that is shared by all clients (RFC 9111). */
@injectable()
export class ResponseCache implements GatewayPlugin<ResponseCacheOptions> {
  readonly #options: ResponseCacheOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #services: ServiceRegistry;
  readonly #state: CacheState;

  constructor(
    @inject(OPTIONS) options: ResponseCacheOptions,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(CLOCK) clock: Clock,
    @inject(LOGGER) logger: Logger,
    @inject(SERVICES) services: ServiceRegistry,
    @inject(KEPT_STATE) kept: KeptState,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#services = services;
    // What was stored by other rules is not to be served by these.
    this.#state = kept.keep(
      `response-cache ${pluginId} ${JSON.stringify(options)}`,
      () => new CacheState({ maxBytes: options.maxSize, maxEntries: options.maxEntries }),
    );
  }

  middleware(route: Route, options: ResponseCacheOptions): RepeatingMiddleware | undefined {
    if (options.ttl === 0) return undefined;
    return new RouteCache(this.#state, this.#clock, this.#logger, {
      policy: options,
      requestDirectives: options.requestDirectives,
      maxEntry: options.maxEntrySize,
      coalesce: options.coalesce,
      identity: route.plugins.some(({ name }) => name === 'compress'),
    }).handle;
  }

  admin(router: EndpointRouter): void {
    mountAdminRoutes(router, { state: this.#state, clock: this.#clock, services: this.#services });
  }

  stats(): PluginStats {
    const { statistics, store } = this.#state;
    return {
      config: { cache_ttl: this.#options.ttl / 1000 },
      status: { cache_size: store.entries },
      stats: {
        request_stats: { cache_hits: statistics.hits, cache_misses: statistics.misses },
        cache_stats: { size: store.entries, hit_rate: statistics.hitRate },
      },
    };
  }

  metrics(): Iterable<Metric> {
    return metricsOf(this.#state);
  }
}
