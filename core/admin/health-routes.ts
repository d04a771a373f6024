import type { EndpointRouter } from '../plugin.js';

/** What the health routes report of. */
export interface HealthView {
  /** Whether the gateway takes requests: started, and not draining. */
  readonly ready: () => boolean;
  /** Healthy and all services, by count. */
  readonly services: () => { healthy: number; total: number };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * `/health`, `/health/live` and `/health/ready`, for load balancers and orchestrators. Open to everybody, and telling
 * nothing but what these need. Unhealthy services do not make the gateway unhealthy: restarting it would not help them.
 */
export function mountHealthRoutes(router: EndpointRouter, view: HealthView): void {
  router.get('/health', (ctx) => {
    const ready = view.ready();
    ctx.status = ready ? 200 : 503;
    ctx.body = {
      status: ready ? 'healthy' : 'draining',
      service: 'api-gateway',
      timestamp: new Date(view.now()).toISOString(),
      services: view.services(),
    };
  });
  router.get('/health/live', (ctx) => {
    ctx.body = { status: 'alive' };
  });
  router.get('/health/ready', (ctx) => {
    const ready = view.ready();
    ctx.status = ready ? 200 : 503;
    ctx.body = { status: ready ? 'ready' : 'draining' };
  });
}
