import type { RouteSettings } from '../config/schema.js';
import type { CompiledRoute } from '../pipeline.js';
import type { Service } from '../services/service.js';
import { hostMatches } from './hosts.js';
import { normalisePattern } from './path.js';
import { compileRewrite, type Rewrite } from './rewrite.js';
import { RouteTree } from './route-tree.js';

/** What a request is matched by. */
export interface RouteQuery {
  readonly method: string;
  /** Whether it is a CORS preflight, whose `method` is the one that is asked for; it brings no fields of that request. */
  readonly preflight: boolean;
  /** In lower case, without port. */
  readonly hostname: string;
  /** Normalised. */
  readonly path: string;
  /** Only read where a route of the configuration matches on header fields: Node.js makes the object when asked. */
  readonly req: { readonly headers: Readonly<Record<string, string | string[] | undefined>> };
}

/** Where a request goes. */
export interface RouteMatch {
  readonly compiled: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  /** The path of the upstream request. */
  readonly upstreamPath: string;
  /** Whether it is a route for WebSockets only: the built-in `/ws/{service}/**`. */
  readonly websocket: boolean;
}

interface OwnRoute {
  readonly compiled: CompiledRoute;
  /** In lower case. */
  readonly hosts: readonly string[] | undefined;
  readonly methods: ReadonlySet<string> | undefined;
  readonly headers: readonly (readonly [string, string])[];
  readonly rewrite: Rewrite | undefined;
}

const API_PREFIX = '/api/v1/';
const WS_PREFIX = '/ws/';
const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Finds the route of a request: the configuration's own routes first, then the built-in `/api/v1/{service}/**` and
 * `/ws/{service}/**`, which are one look-up by the service's name however many there are.
 */
export class Router {
  readonly #own = new RouteTree<OwnRoute>();
  readonly #all: CompiledRoute[] = [];
  readonly #byId = new Map<string, CompiledRoute>();
  /** Built-in routes by service name. */
  readonly #services = new Map<string, CompiledRoute>();

  /** Adds a route of the configuration. */
  addRoute(compiled: CompiledRoute, settings: RouteSettings): void {
    const { match } = settings;
    this.#all.push(compiled);
    this.#byId.set(compiled.route.id, compiled);
    this.#own.add({
      pattern: normalisePattern(match.path),
      priority: settings.priority,
      value: {
        compiled,
        hosts: match.hosts?.map((host) => host.toLowerCase()),
        methods: match.methods ? withHead(match.methods) : undefined,
        headers: Object.entries(match.headers ?? {}).map(
          ([name, value]) => [name.toLowerCase(), value] as const,
        ),
        rewrite:
          settings.rewrite === undefined ? undefined : compileRewrite(normalisePattern(settings.rewrite)),
      },
    });
  }

  /** Adds or replaces the built-in route of a service. */
  setService(compiled: CompiledRoute): void {
    this.#services.set(compiled.route.service.name, compiled);
  }

  removeService(name: string): void {
    this.#services.delete(name);
  }

  /** The service that its built-in route leads to. */
  serviceOf(name: string): Service | undefined {
    return this.#services.get(name)?.route.service;
  }

  /** The route of that id, or undefined; the configuration's own first. */
  byId(id: string): CompiledRoute | undefined {
    return this.#byId.get(id) ?? this.#services.get(id);
  }

  /** All routes, the configuration's own first. */
  list(): CompiledRoute[] {
    return [...this.#all, ...this.#services.values()];
  }

  /** The route of a request, or undefined. */
  find(query: RouteQuery): RouteMatch | undefined {
    if (this.#all.length > 0) {
      const found = this.#own.find(query.path, accepts, query);
      if (found) {
        const { compiled, rewrite } = found.value;
        const upstreamPath = rewrite ? rewrite(found.params) : query.path;
        return { compiled, params: found.params, upstreamPath, websocket: false };
      }
    }
    return this.#builtIn(query.path, API_PREFIX) ?? this.#builtIn(query.path, WS_PREFIX);
  }

  /** The methods that a path has routes for; empty where it has none. For 405 (RFC 9110 section 15.5.6). */
  allowedMethods(query: RouteQuery): string[] {
    const allowed = new Set<string>();
    this.#own.find(
      query.path,
      (route) => {
        if (acceptsButMethod(route, query)) for (const method of route.methods ?? []) allowed.add(method);
        return false;
      },
      query,
    );
    return [...allowed];
  }

  #builtIn(path: string, prefix: string): RouteMatch | undefined {
    if (!path.startsWith(prefix)) return undefined;
    const slash = path.indexOf('/', prefix.length);
    const name = slash === -1 ? path.slice(prefix.length) : path.slice(prefix.length, slash);
    const compiled = this.#services.get(name);
    if (compiled === undefined) return undefined;
    const { settings } = compiled.route.service;
    const websocket = prefix === WS_PREFIX;
    const rest = slash === -1 ? '' : path.slice(slash);
    const upstreamPath = joinPath(websocket ? settings.websocketBasePath : settings.basePath, rest);
    return { compiled, params: NO_PARAMS, upstreamPath, websocket };
  }
}

function accepts(route: OwnRoute, query: RouteQuery): boolean {
  return (route.methods === undefined || route.methods.has(query.method)) && acceptsButMethod(route, query);
}

function acceptsButMethod(route: OwnRoute, query: RouteQuery): boolean {
  if (route.hosts !== undefined && !hasHost(route.hosts, query.hostname)) return false;
  if (query.preflight) return true;
  for (const [name, value] of route.headers) if (query.req.headers[name] !== value) return false;
  return true;
}

function hasHost(patterns: readonly string[], hostname: string): boolean {
  for (const pattern of patterns) if (hostMatches(pattern, hostname)) return true;
  return false;
}

/** A route for GET answers HEAD as well (RFC 9110 section 9.3.2). */
function withHead(methods: readonly string[]): ReadonlySet<string> {
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
}

/** `/api/v1` and `/status` give `/api/v1/status`; `/` and `/status` give `/status`. */
function joinPath(base: string, rest: string): string {
  if (base.endsWith('/')) return rest === '' ? base : base + rest.slice(1);
  return base + rest;
}
