import Router from '@koa/router';
import { GatewayError } from '../errors.js';
import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import { compose, type Layer, type Onion } from '../onion.js';
import type { EndpointContext, EndpointRouter } from '../plugin.js';
import type { AdminGuard } from './guard.js';

/** Where admin routes live. */
const ADMIN_PREFIX = '/api/v1/gateway';
/** Where authentication plugins put their endpoints. */
const AUTH_PREFIX = '/api/v1/auth';

/** The gateway's own routes, to mount beside those of the plugins. */
export interface EndpointsOptions {
  readonly plugins: readonly LoadedPlugin[];
  readonly guard: AdminGuard;
  /** Whether admin routes have a listener of their own, and so none on the main one. */
  readonly separateAdmin: boolean;
  /** @param open the router of the endpoints, for a description of both */
  readonly mountAdmin: (router: EndpointRouter, open: EndpointRouter) => void;
  readonly mountPublic: (router: EndpointRouter) => void;
}

/** What the gateway answers itself: `/health`, the admin routes, and what plugins add to both. */
export class Endpoints {
  readonly admin: EndpointRouter;
  readonly open: EndpointRouter;
  readonly #separateAdmin: boolean;
  readonly #guard: AdminGuard;
  readonly #openPaths: ReadonlySet<string>;
  /** Paths of the kernel itself, which are answered whatever the plugins think of the caller. */
  readonly #kernelPaths: ReadonlySet<string>;
  readonly #run: Onion<EndpointContext>;
  readonly #runInOnion: Onion<EndpointContext>;
  readonly #runAdmin: Onion<EndpointContext>;

  constructor(options: EndpointsOptions) {
    this.#guard = options.guard;
    this.#separateAdmin = options.separateAdmin;
    this.admin = new Router({ prefix: ADMIN_PREFIX });
    this.open = new Router();
    options.mountPublic(this.open);
    this.#kernelPaths = pathsOf(this.open);
    options.mountAdmin(this.admin, this.open);
    const layers: Layer<EndpointContext>[] = [];
    for (const plugin of options.plugins) {
      plugin.guard('endpoints', () => plugin.instance.endpoints?.(this.open));
      plugin.guard('admin', () => plugin.instance.admin?.(this.admin));
      const middleware = plugin.guard('endpointMiddleware', () => plugin.instance.endpointMiddleware?.());
      if (middleware) layers.push({ id: plugin.id, middleware });
    }
    this.#openPaths = pathsOf(this.open);
    this.#run = runner(this.open);
    this.#runInOnion = compose(layers, this.#run);
    this.#runAdmin = runner(this.admin);
  }

  /** Whether a path is one of the gateway's own, on the listener that it was asked for on. */
  owns(path: string, byAdminListener: boolean): boolean {
    if (isBelow(path, ADMIN_PREFIX)) return byAdminListener || !this.#separateAdmin;
    return this.#openPaths.has(path) || isBelow(path, AUTH_PREFIX);
  }

  /** Answers a request for one of these paths. */
  readonly handle = (ctx: EndpointContext): Promise<void> => {
    const { path } = ctx.gateway;
    if (this.#kernelPaths.has(path)) return this.#run(ctx);
    if (!isBelow(path, ADMIN_PREFIX)) return this.#runInOnion(ctx);
    this.#guard.check(ctx.gateway);
    ctx.set('Cache-Control', 'no-store');
    return this.#runAdmin(ctx);
  };
}

function pathsOf(router: EndpointRouter): ReadonlySet<string> {
  return new Set(router.stack.map((layer) => String(layer.path)));
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

/** Runs a router on a context; what it has no route for is an error of the table. */
function runner(router: EndpointRouter): Onion<EndpointContext> {
  const routes = router.routes();
  return async (ctx) => {
    // The router matches what was normalised, as every other part of the gateway does.
    ctx.path = ctx.gateway.path;
    let reached = false;
    await routes(ctx as Parameters<typeof routes>[0], async () => {
      reached = true;
    });
    if (!reached) return;
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (methods.length === 0) throw new GatewayError('NOT_FOUND');
    throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { Allow: [...new Set(methods)].join(', ') } });
  };
}
