import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { EndpointRouter, PluginStats } from '../plugin.js';

/** What `/status` reports of. */
export interface StatusView {
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since the start. */
  readonly uptime: () => number;
  readonly state: () => string;
  readonly generation: () => number;
  readonly serviceCount: () => number;
  readonly plugins: readonly LoadedPlugin[];
}

/** The requirements' `config`, as it is while no plugin says otherwise. */
const CONFIG = {
  enable_auth: false,
  enable_rate_limiting: false,
  enable_circuit_breaker: false,
  cache_ttl: 0,
};

/** `GET /api/v1/gateway/status`, in the requirements' shape. */
export function mountStatusRoutes(router: EndpointRouter, view: StatusView): void {
  router.get('/status', (ctx) => {
    const stats = view.plugins.map((plugin) =>
      plugin.guard('stats', () => plugin.instance.stats?.() ?? NOTHING),
    );
    ctx.body = {
      service: 'api-gateway',
      version: view.version,
      status: view.state(),
      timestamp: new Date(view.now()).toISOString(),
      uptime: Math.floor(view.uptime() / 1000),
      config: Object.assign({ ...CONFIG }, ...stats.map((each) => each.config)),
      registered_services: view.serviceCount(),
      active_circuit_breakers: 0,
      cache_size: 0,
      ...Object.assign({}, ...stats.map((each) => each.status)),
      generation: view.generation(),
    };
  });
}

const NOTHING: PluginStats = {};
