import type { Duplex } from 'node:stream';
import type Router from '@koa/router';
import type Koa from 'koa';
import type { constructor as Constructor } from 'tsyringe/dist/typings/types/index.js';
import type { Static, TObject, TProperties } from 'typebox';
import type { AuthenticationState } from './authentication/authentication.js';
import type { RouteRetrySettings } from './config/retries-schema.js';
import type { Exchange, GatewayRequest } from './exchange.js';
import type { Service } from './services/service.js';
import type { Target } from './services/target.js';

/**
 * The plugin contract. A plugin is one definition object, whose import has no side effects, and a class that the
 * kernel builds once per entry of the `plugins` list:
 *
 *     export default definePlugin({
 *       name: 'hello',
 *       summary: 'Greets.',
 *       options: Type.Object({ greeting: Type.String({ default: 'hello', description: 'What to say.' }) }),
 *       plugin: Hello,
 *     });
 */

/** Data that plugins share along one request, on `ctx.state`. The owner of a key declares it by merging. */
export interface GatewayState {
  /** Kept by {@link Authentication}, for the authentication plugins of a route. */
  authentication?: AuthenticationState;
}

/** The context of a request in the onion: Koa's, with the exchange at `ctx.gateway`. */
export type GatewayContext = Koa.ParameterizedContext<GatewayState, { gateway: Exchange }>;

/** The context of a request that the gateway answers itself: admin routes and endpoints. */
export type EndpointContext = Koa.ParameterizedContext<GatewayState, { gateway: GatewayRequest }>;

/** Where a plugin adds admin routes and endpoints: `router.get('/path', (ctx) => { ctx.body = {...}; })`. */
export type EndpointRouter = Router<GatewayState, { gateway: GatewayRequest }>;

/** Koa middleware in the onion. Middleware written for plain Koa fits as it is. */
export type GatewayMiddleware = (ctx: GatewayContext, next: () => Promise<void>) => Promise<void> | void;

/**
 * Middleware that may run what stands inside it more than once: `inner` is `next` for any context, for a second try or
 * for a request that no client waits for (`backgroundContext`).
 */
export type RepeatingMiddleware = (
  ctx: GatewayContext,
  next: () => Promise<void>,
  inner: (ctx: GatewayContext) => Promise<void>,
) => Promise<void> | void;

/** Middleware around the endpoints of plugins. Fits routes as well, since it asks for less. */
export type EndpointMiddleware = (ctx: EndpointContext, next: () => Promise<void>) => Promise<void> | void;

/** Who calls, as an authentication plugin established it. */
export interface Consumer {
  /** Unique among consumers; forwarded to the upstream by the plugin that set it. */
  readonly id: string;
  /** The id of the plugin instance that vouches for it. */
  readonly authenticatedBy: string;
  /** Which of the consumer's credentials was shown, for example the id of an API key; never the credential itself. */
  readonly credentialId?: string;
  /** A rate limit of its own, instead of the general one: requests per window (milliseconds), and the most at once. */
  readonly rateLimit?: { readonly requests: number; readonly window: number; readonly burst?: number };
  /** When the credential ends, in milliseconds since the epoch; connections that it opened end with it. */
  readonly expiresAt?: number;
}

/** A plugin that is switched on on a route. */
export interface PluginRef {
  readonly id: string;
  /** The name of its definition. */
  readonly name: string;
  readonly provides: readonly Capability[];
}

/** What a plugin does for others to know of. */
export type Capability = 'authentication';

/** A route: what is matched, and where it leads. Immutable; a reload makes new ones. */
export interface Route {
  /** Unique in a generation: the `id` from the configuration, or the service's name for its built-in route. */
  readonly id: string;
  readonly service: Service;
  /** The path pattern, as in the configuration; `/api/v1/{service}/**` for built-in ones. */
  readonly pattern: string;
  /** The methods that it matches; undefined for all. */
  readonly methods: readonly string[] | undefined;
  /** The plugins that are switched on here, in order. */
  readonly plugins: readonly PluginRef[];
  /** How requests are retried here, instead of the service's settings; undefined where these hold. */
  readonly retries?: RouteRetrySettings | undefined;
}

/** The head of an upstream's response. The body follows behind it, and stays with the kernel. */
export interface UpstreamHead {
  readonly status: number;
  /** Field names and values in turn, end-to-end fields only, byte for byte (latin1). */
  readonly headers: readonly string[];
}

/** One attempt to get a response from one target. */
export interface Attempt {
  readonly exchange: Exchange;
  readonly target: Target;
  /** 1 for the first. */
  readonly number: number;
}

/**
 * Wraps each upstream attempt: refuse it by throwing before `next()`, watch its outcome after. The outermost
 * wrapper belongs to the plugin that stands first in the list.
 */
export type AttemptWrapper = (attempt: Attempt, next: () => Promise<UpstreamHead>) => Promise<UpstreamHead>;

/**
 * Connects to a target of the exchange's service, inside the route's attempt wrappers (circuit breaker, ...). Picks the
 * target, counts the attempt, and leaves both in the exchange. May be called again, after a failure or to reconnect.
 *
 * @param connect makes the connection; answers with the head that the upstream sent (101 for a taken upgrade). It is
 *   given the fields of the request, names and values in turn: the client's end-to-end fields, the plugins' edits, and the
 *   forwarding fields; `host` only where the service keeps the client's, and nothing of `Connection` and `Upgrade`
 * @param tried targets not to pick where another is left
 * @throws GatewayError SERVICE_UNAVAILABLE without a target; whatever a wrapper or `connect` throws
 */
export type AttemptUpgrade = (
  exchange: Exchange,
  connect: (target: Target, fields: readonly string[]) => Promise<UpstreamHead>,
  tried?: readonly Target[],
) => Promise<UpstreamHead>;

/**
 * What an upgrade takes over: the client's connection; or, in HTTP/2, one stream of it, on which a 101 becomes what it is there
 * (RFC 8441).
 */
export interface UpgradeSocket extends Duplex {
  /** Bytes that were received so far. */
  readonly bytesRead: number;
}

/**
 * Takes over an upgrade (WebSocket) that the onion has let pass. Once its promise is fulfilled the socket is the
 * handler's, and the request is over: it was answered with 101, and `finished` is told so. As long as nothing was written
 * it may throw a GatewayError, or set a status and body on `ctx` instead, and the client gets a real HTTP response.
 *
 * `attempt` stays good for as long as the connection is open: it goes by the wrappers of the present generation.
 */
export type UpgradeHandler = (
  ctx: GatewayContext,
  socket: UpgradeSocket,
  head: Buffer,
  attempt: AttemptUpgrade,
) => Promise<void>;

/** Called around the life of a generation; each may return a promise, and is given `shutdown.hookTimeout`. */
export interface Hooks {
  /** Before the generation takes traffic, in declared order. Throwing stops the start, or refuses the reload. */
  onStart?(): Promise<void> | void;
  /** The generation is live. */
  onReady?(): Promise<void> | void;
  /** A service was added, updated or removed. */
  onServiceChange?(change: {
    service: string;
    change: 'added' | 'updated' | 'removed';
  }): Promise<void> | void;
  /** The generation gets no new requests any more; those under way go on. */
  onDrain?(): Promise<void> | void;
  /** All requests of the generation have ended, or their time is up. In reverse order; also after a failed start. */
  onStop?(): Promise<void> | void;
}

/** A plugin at work. Every member is optional, and a member that is absent costs nothing. */
export interface GatewayPlugin<Options = unknown> {
  /**
   * The middleware for one route, built when the route is compiled.
   *
   * @param options the effective options: the entry's own, with the service's and the route's overrides
   * @returns undefined where the plugin has nothing to do on this route; {@link GatewayMiddleware} fits as it is
   */
  middleware?(route: Route, options: Options): RepeatingMiddleware | undefined;
  /** The middleware around what plugins add with {@link endpoints}, or undefined; for CORS and the like. */
  endpointMiddleware?(): EndpointMiddleware | undefined;
  /** The wrapper around each upstream attempt of one route, or undefined. */
  attempt?(route: Route, options: Options): AttemptWrapper | undefined;
  /** Takes over upgrades on this route, or undefined. The first plugin in the list that offers one gets them. */
  upgrade?(route: Route, options: Options): UpgradeHandler | undefined;
  /**
   * Learns of each request once its response has been written in full or the connection is gone; the way to log and
   * count, since it also hears of requests that matched no route, and costs no place in the onion.
   */
  finished?(request: GatewayRequest | Exchange): void;
  /** Adds admin routes; paths are relative to `/api/v1/gateway`. Guarded: administrators only. */
  admin?(router: EndpointRouter): void;
  /**
   * Adds routes that anybody may call: by a path without parameters such as `/metrics`, or any below
   * `/api/v1/auth/`.
   */
  endpoints?(router: EndpointRouter): void;
  /** What this plugin adds to `GET /api/v1/gateway/stats` and `/status`. */
  stats?(): PluginStats;
  /** The present values of this plugin's metrics; asked for when `/metrics` is scraped, and at no other time. */
  metrics?(): Iterable<Metric>;
  readonly hooks?: Hooks;
}

/** A metric of a plugin with all its series, as Prometheus has them. */
export interface Metric {
  /** With the prefix `gateway_`; a counter's ends in `_total`, and the unit stands before that (`_bytes`, `_seconds`). */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** One per set of labels; labels only of bounded sets. */
  readonly series: Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }>;
}

/** Contributions to the gateway's own reports; see {@link GatewayPlugin.stats}. */
export interface PluginStats {
  /** Merged into `config` of `/status`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Merged into the top level of `/status`. */
  readonly status?: Readonly<Record<string, unknown>>;
  /** Merged into `/stats`, one level deep: the `request_stats` of two plugins become one object. */
  readonly stats?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Where a plugin may stand in the list. Checked when the list is loaded, never used to sort it. */
export interface OrderConstraints {
  /** Plugins that must stand before this one, where they are in the list. */
  readonly after?: readonly string[];
  /** Plugins that must stand after this one, where they are in the list. */
  readonly before?: readonly string[];
}

/** A plugin as its module exports it by default. */
export interface PluginDefinition<Options extends TObject = TObject> {
  /** kebab-case; the same in its folder, `.gatewayrc`, logs, metric labels and docs. */
  readonly name: string;
  /** One sentence for lists and the docs. */
  readonly summary: string;
  /** SemVer; the gateway's own version where it is absent. */
  readonly version?: string;
  /** A TypeBox object: each field with its type, default and description. Unknown keys are refused. */
  readonly options: Options;
  readonly order?: OrderConstraints;
  /** What it does for others to know of; authentication plugins find each other by it. */
  readonly provides?: readonly Capability[];
  /** Built by tsyringe in a container of its own; its constructor names what it needs with `@inject(TOKEN)`. */
  readonly plugin: Constructor<GatewayPlugin<Static<Options>>>;
}

/** Declares a plugin; gives its options their types. */
export function definePlugin<Properties extends TProperties>(
  definition: PluginDefinition<TObject<Properties>>,
): PluginDefinition<TObject<Properties>> {
  return definition;
}

/** The plugins that ship with the gateway: name to the import of its module. */
export type PluginCatalogue = Readonly<Record<string, () => Promise<{ default: PluginDefinition }>>>;
