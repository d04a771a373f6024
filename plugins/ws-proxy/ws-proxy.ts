import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  type EndpointRouter,
  EndToEndFields,
  type GatewayContext,
  GatewayError,
  type GatewayPlugin,
  type Hooks,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  PLUGIN_ID,
  type PluginStats,
  type Route,
  SERVICES,
  type ServiceRegistry,
  type UpgradeHandler,
  type UpgradeSocket,
} from '../../core/index.js';
import { mountConnectionRoutes } from './admin-routes.js';
import { TargetConnections } from './connect-target.js';
import type { RecordInit } from './connection-record.js';
import { ConnectionTable } from './connection-table.js';
import { ManagedMode } from './managed/managed-mode.js';
import { connectionMetrics } from './metrics.js';
import type { ModeParts } from './mode-parts.js';
import type { WsProxyOptions } from './options.js';
import { OriginCheck } from './origin-check.js';
import { TunnelMode } from './tunnel/tunnel-mode.js';

/** What the options of a route come to; routes with the same options share it. */
interface Form {
  readonly mode: ManagedMode | TunnelMode;
  readonly origins: OriginCheck;
}

const STOPPING = 'The gateway is shutting down';

/** Takes WebSockets and other upgrades through to the services. */
@injectable()
export class WsProxy implements GatewayPlugin<WsProxyOptions> {
  readonly hooks: Hooks;
  readonly #id: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #table: ConnectionTable;
  readonly #parts: ModeParts;
  readonly #forms = new WeakMap<WsProxyOptions, Form>();
  #drainGrace = 0;

  constructor(
    @inject(PLUGIN_ID) id: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(SERVICES) services: ServiceRegistry,
  ) {
    this.#id = id;
    this.#logger = logger;
    this.#clock = clock;
    this.#parts = {
      clock,
      services,
      connections: new TargetConnections(clock),
      fields: new EndToEndFields(),
    };
    this.#table = kept.keep(
      `ws-proxy:${id}`,
      () => new ConnectionTable(clock),
      (table) => table.close(undefined, 1001, STOPPING, 'drain'),
    );
    this.hooks = {
      onReady: () => {
        this.#table.owner = this;
      },
      onDrain: () => this.#drain(),
      onStop: () => {
        if (this.#table.owner === this) this.#closeAll();
      },
    };
  }

  upgrade(route: Route, options: WsProxyOptions): UpgradeHandler {
    const form = this.#formOf(options);
    this.#drainGrace = Math.max(this.#drainGrace, options.drainGrace);
    return (ctx, socket, head, attempt) => this.#open(ctx, route, options, form, socket, head, attempt);
  }

  admin(router: EndpointRouter): void {
    mountConnectionRoutes(router, this.#table, this.#logger);
  }

  stats(): PluginStats {
    return { stats: { websocket_stats: { open_connections: this.#table.size } } };
  }

  metrics(): Iterable<Metric> {
    return connectionMetrics(this.#table, this.#id);
  }

  async #open(
    ctx: GatewayContext,
    route: Route,
    options: WsProxyOptions,
    { mode, origins }: Form,
    socket: UpgradeSocket,
    head: Buffer,
    attempt: Parameters<UpgradeHandler>[3],
  ): Promise<void> {
    const { gateway } = ctx;
    if (this.#table.draining) throw new GatewayError('GATEWAY_DRAINING');
    mode.check(ctx);
    if (!origins.allows(gateway.req.headers.origin)) {
      throw new GatewayError('FORBIDDEN', { message: 'The origin is not allowed' });
    }
    const leave = this.#table.limits.enter(gateway, options.connections);
    const record: RecordInit = {
      requestId: gateway.requestId,
      service: gateway.service.name,
      route: route.id,
      mode: options.mode,
      path: gateway.path,
      client: gateway.clientAddress,
      consumer: gateway.consumer,
      target: '',
      protocol: '',
      idleTimeout: options.idleTimeout,
      maxLifetime: options.maxLifetime,
      logger: this.#logger,
      table: this.#table,
      leave,
    };
    let opened = false;
    try {
      opened = await mode.open(ctx, socket, head, attempt, record);
    } finally {
      if (!opened) leave();
    }
  }

  #formOf(options: WsProxyOptions): Form {
    let form = this.#forms.get(options);
    if (form === undefined) {
      const mode =
        options.mode === 'tunnel'
          ? new TunnelMode(options, this.#parts)
          : new ManagedMode(options, this.#parts);
      form = { mode, origins: new OriginCheck(options.origins) };
      this.#forms.set(options, form);
    }
    return form;
  }

  /** The gateway stops, or the configuration no longer has this plugin: a generation that took over would own the table. */
  #drain(): void {
    if (this.#table.owner !== this) return;
    this.#table.draining = true;
    if (this.#drainGrace === 0) this.#closeAll();
    else this.#clock.setTimeout(() => this.#closeAll(), this.#drainGrace);
  }

  #closeAll(): void {
    this.#table.close(undefined, 1001, STOPPING, 'drain');
  }
}
