import type { EventEmitter } from 'node:events';
import type { Endpoints } from './admin/endpoints.js';
import { blameFor } from './blame.js';
import type { Clock } from './clock.js';
import type { Settings } from './config/schema.js';
import { Exchange, type GatewayRequest } from './exchange.js';
import type { HookRunner } from './hooks.js';
import type { LoadedPlugin, PluginOverrides } from './loader/loaded-plugin.js';
import type { Logger } from './log/logger.js';
import {
  type CompiledRoute,
  compileRoute,
  type FinishedListener,
  finishedListener,
  type ReceiveHead,
} from './pipeline.js';
import type { Metric, Route } from './plugin.js';
import { Peers } from './proxy/peers.js';
import { RequestHeadWriter } from './proxy/request-head.js';
import { SlowBodyGuard } from './proxy/slow-body-guard.js';
import { ProxyStage } from './proxy/stage.js';
import type { RequestCounters } from './request-counters.js';
import { Router } from './routing/router.js';
import type { HeadReceiver } from './server/writer.js';
import type { Service } from './services/service.js';

/** What a generation is built from. */
export interface GenerationInit {
  /** 1 for the first; one more with each reload. */
  readonly number: number;
  readonly settings: Settings;
  readonly plugins: readonly LoadedPlugin[];
  readonly services: ReadonlyMap<string, Service>;
  readonly clock: Clock;
  readonly heads: HeadReceiver;
  readonly hooks: HookRunner;
  readonly counters: RequestCounters;
  readonly logger: Logger;
  /** Builds the gateway's own routes and those of the plugins. */
  readonly endpoints: (generation: Generation) => Endpoints;
}

/**
 * One loaded configuration at work: its routes with their onions, and its plugin instances. Immutable but for the
 * built-in routes of services that come and go at run time; a reload makes the next one.
 */
export class Generation {
  readonly number: number;
  readonly settings: Settings;
  readonly plugins: readonly LoadedPlugin[];
  readonly peers: Peers;
  readonly router = new Router();
  readonly endpoints: Endpoints;
  /** Learn of requests that matched no route. */
  readonly finished: readonly FinishedListener[];
  /** Learn of requests that the gateway answers itself. */
  readonly endpointFinished: readonly FinishedListener[];
  readonly hooks: HookRunner;
  readonly #stage: ProxyStage;
  readonly #logger: Logger;
  readonly #count: FinishedListener;
  /** Makes the head of an upstream's response that of the client's. */
  readonly receive: ReceiveHead;
  /** Plugins that failed to tell their metrics. */
  readonly #mute = new Set<LoadedPlugin>();
  #active = 0;
  #onIdle: (() => void) | undefined;

  /** @throws ConfigurationError when overridden options are invalid; whatever a plugin throws while it is built */
  constructor(init: GenerationInit) {
    const { settings, clock } = init;
    this.number = init.number;
    this.settings = settings;
    this.plugins = init.plugins;
    this.hooks = init.hooks;
    this.receive = init.heads.receive;
    this.peers = new Peers(settings.trustedProxies);
    this.#logger = init.logger;
    this.#count = init.counters.count;
    this.endpointFinished = init.plugins.map(finishedListener).filter((listener) => listener !== undefined);
    this.finished = [this.#count, ...this.endpointFinished];
    const { bodyTimeout, bodyMinRate, body } = settings.limits;
    this.#stage = new ProxyStage({
      clock,
      head: new RequestHeadWriter({ via: settings.via }),
      slowBodies: new SlowBodyGuard(clock, { pause: bodyTimeout, minRate: bodyMinRate }),
      maxBody: body,
    });
    for (const service of init.services.values()) this.setService(service);
    for (const [index, route] of settings.routes.entries()) {
      const service = init.services.get(route.service);
      if (service === undefined)
        throw new Error(`routes[${index}].service: there is no service '${route.service}'`);
      const { id, match, retries } = route;
      const declaration = { id, service, pattern: match.path, methods: match.methods, retries };
      const compiled = this.#compile(declaration, [
        { plugins: route.plugins, path: ['routes', index, 'plugins'] },
      ]);
      this.router.addRoute(compiled, route);
    }
    this.endpoints = init.endpoints(this);
  }

  /** Requests under way. */
  get active(): number {
    return this.#active;
  }

  /**
   * Compiles the built-in route of a service, without effect.
   *
   * @throws ConfigurationError when its overrides of plugin options are invalid
   */
  compileService(service: Service): CompiledRoute {
    return this.#compile(
      { id: service.name, service, pattern: `/api/v1/${service.name}/**`, methods: undefined },
      [],
    );
  }

  /** Adds or replaces the built-in route of a service. */
  setService(service: Service): void {
    this.router.setService(this.compileService(service));
  }

  /**
   * Takes a request in: it counts as under way until its response is written or its connection gone, which ends what
   * is left of it upstream.
   */
  enter(request: GatewayRequest, listeners: readonly FinishedListener[]): void {
    this.#active++;
    request.res.on('close', () => this.#leave(request, listeners));
  }

  /**
   * Takes an upgrade in, where no response says when it is over: that is when its connection is gone.
   *
   * @returns to be called when it was granted, which ends the request: what goes by the connection from then on is not
   *   this generation's concern, which may be retired while the connection stays open
   */
  enterUpgrade(
    request: GatewayRequest,
    listeners: readonly FinishedListener[],
    socket: EventEmitter,
  ): () => void {
    this.#active++;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      socket.off('close', leave);
      this.#leave(request, listeners);
    };
    socket.once('close', leave);
    return leave;
  }

  #leave(request: GatewayRequest, listeners: readonly FinishedListener[]): void {
    if (request instanceof Exchange) request.upstream?.abandon();
    this.#active--;
    this.#tell(request, request.takeFinishers());
    this.#tell(request, listeners);
    if (this.#active === 0) this.#onIdle?.();
  }

  #tell(request: GatewayRequest, listeners: readonly FinishedListener[]): void {
    for (const listener of listeners) {
      try {
        listener(request);
      } catch (err) {
        // One that fails must not keep the others from hearing.
        const fields = { err, request_id: request.requestId, ...blameFor(err) };
        this.#logger.error(fields, 'A plugin failed after a request');
      }
    }
  }

  /** What the plugins have to say to a scrape. */
  pluginMetrics(): readonly Metric[] {
    return this.plugins.flatMap((plugin) => {
      try {
        return plugin.guard('metrics', () => [...(plugin.instance.metrics?.() ?? [])]);
      } catch (err) {
        // The metrics of the others are all the more wanted. Scrapes come often, and one line is enough.
        if (!this.#mute.has(plugin)) {
          this.#mute.add(plugin);
          this.#logger.error({ err, ...blameFor(err) }, 'The metrics of a plugin are left out');
        }
        return [];
      }
    });
  }

  /** Waits until no request is under way; resolves at once when there is none. */
  idle(): Promise<void> {
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #compile(route: Omit<Route, 'plugins'>, own: readonly PluginOverrides[]): CompiledRoute {
    const { service } = route;
    const overrides = [
      { plugins: service.settings.plugins, path: ['services', service.name, 'plugins'] },
      ...own,
    ];
    const compiled = compileRoute(route, this.plugins, overrides, this.#stage, this.receive);
    return { ...compiled, finished: [this.#count, ...compiled.finished] };
  }
}
