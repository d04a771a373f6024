import { createHash, timingSafeEqual } from 'node:crypto';
import type { Registry } from 'prom-client';
import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  type EndpointContext,
  type EndpointRouter,
  EVENTS,
  GatewayError,
  type GatewayEvents,
  type GatewayPlugin,
  type GatewayRequest,
  type Hooks,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  METRICS,
  type Metric,
  OPTIONS,
  PLUGIN_ID,
  PLUGIN_METRICS,
  type Route,
  SERVICES,
  type ServiceRegistry,
} from '../../core/index.js';
import { formatFor } from './accept.js';
import { Announcements } from './announcements.js';
import { Bounds } from './buckets.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { CONTENT_TYPES, Exposition } from './exposition.js';
import { ForeignMetrics } from './foreign-metrics.js';
import { writeProcess } from './process-families.js';
import type { HistogramBounds } from './traffic.js';
import { writeTraffic } from './traffic-families.js';
import { TrafficMeter } from './traffic-meter.js';
import { writeUpstreams } from './upstream-families.js';

/** Bytes by which a scrape may well be larger than the one before. */
const MORE = 32 * 1024;

/** Options of the metrics. */
export interface MetricsOptions {
  readonly path: string;
  readonly access: 'public' | 'admin';
  readonly token?: string;
  readonly buckets: {
    /** Seconds. */
    readonly requests: readonly number[];
    /** Seconds. */
    readonly upstream: readonly number[];
  };
  readonly process: boolean;
}

/** What outlives reloads. */
interface Kept {
  readonly traffic: TrafficMeter;
  readonly announcements: Announcements;
  /** Metrics of others that were found to be faulty. */
  readonly reported: Set<string>;
}

/** Counts requests as they end, and tells Prometheus of them, and of the state of the gateway. */
@injectable()
export class Metrics implements GatewayPlugin<MetricsOptions> {
  readonly hooks: Hooks = {
    onReady: () => this.#kept.traffic.useBounds(this.#bounds),
    // Also where nobody ever scrapes.
    onServiceChange: ({ change }) => {
      if (change === 'removed') this.#prune();
    },
  };
  readonly #options: MetricsOptions;
  readonly #services: ServiceRegistry;
  readonly #bounds: HistogramBounds;
  readonly #kept: Kept;
  readonly #delay: EventLoopDelay | undefined;
  readonly #foreign: ForeignMetrics;
  readonly #token: Buffer | undefined;
  /** The ids of the routes that the configuration declares; a service's own has the name of the service. */
  readonly #routes = new Set<string>();
  /** Of the latest scrape, in bytes. */
  #size = 0;

  constructor(
    @inject(OPTIONS) options: MetricsOptions,
    @inject(PLUGIN_ID) id: string,
    @inject(CLOCK) clock: Clock,
    @inject(LOGGER) logger: Logger,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(SERVICES) services: ServiceRegistry,
    @inject(EVENTS) events: GatewayEvents,
    @inject(METRICS) registry: Registry,
    @inject(PLUGIN_METRICS) plugins: () => readonly Metric[],
  ) {
    this.#options = options;
    this.#services = services;
    const { requests, upstream } = options.buckets;
    const bounds = { requests: new Bounds(requests), upstream: new Bounds(upstream) };
    this.#bounds = bounds;
    this.#kept = kept.keep(
      `metrics:${id}`,
      () => ({
        traffic: new TrafficMeter(clock, bounds),
        announcements: new Announcements(events, clock),
        reported: new Set<string>(),
      }),
      ({ announcements }) => announcements.stop(),
    );
    this.#delay = options.process
      ? kept.keep(
          `metrics:${id}:event-loop`,
          () => new EventLoopDelay(clock),
          (delay) => delay.stop(),
        )
      : undefined;
    this.#foreign = new ForeignMetrics({ plugins, registry }, clock, logger, this.#kept.reported);
    this.#token = options.token === undefined ? undefined : digest(options.token);
  }

  /** Nothing to do on the way of a request; it is told here which routes there are. */
  middleware(route: Route): undefined {
    if (route.id !== route.service.name) this.#routes.add(route.id);
    return undefined;
  }

  finished(request: GatewayRequest): void {
    this.#kept.traffic.record(request);
  }

  endpoints(router: EndpointRouter): void {
    if (this.#options.access !== 'public') return;
    router.get(this.#options.path, (ctx) => {
      this.#checkToken(ctx.headers.authorization);
      return this.#answer(ctx);
    });
  }

  admin(router: EndpointRouter): void {
    if (this.#options.access === 'admin') router.get(this.#options.path, (ctx) => this.#answer(ctx));
  }

  async #answer(ctx: EndpointContext): Promise<void> {
    const format = formatFor(ctx.headers.accept);
    const registered = await this.#foreign.collect();
    // As much as last time, and a little more.
    const out = new Exposition(format, this.#size * 1.1 + MORE);
    this.#prune();
    writeTraffic(this.#kept.traffic, out);
    writeUpstreams(this.#services, out);
    this.#kept.announcements.write(out);
    if (this.#delay !== undefined) writeProcess(this.#delay, out);
    this.#foreign.write(registered, out);
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Vary', 'Accept');
    const text = out.end();
    this.#size = text.length;
    ctx.body = text;
    ctx.set('Content-Type', CONTENT_TYPES[format]);
  }

  /** Forgets the services and routes that are gone. */
  #prune(): void {
    const live = new Set(this.#services.list().map(({ name }) => name));
    this.#kept.traffic.prune(live, (id) => live.has(id) || this.#routes.has(id));
    this.#kept.announcements.prune(live);
  }

  /** @throws GatewayError UNAUTHORIZED */
  #checkToken(authorization: string | undefined): void {
    if (this.#token === undefined) return;
    const [scheme = '', token = ''] = authorization?.split(' ') ?? [];
    if (scheme.toLowerCase() === 'bearer' && timingSafeEqual(digest(token), this.#token)) return;
    throw new GatewayError('UNAUTHORIZED', {
      message: 'Metrics are for holders of their token',
      headers: { 'WWW-Authenticate': 'Bearer realm="metrics"' },
    });
  }
}

/** Equal lengths for the comparison, whatever was sent. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
