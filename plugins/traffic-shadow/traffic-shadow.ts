import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  type CopyForm,
  copyForm,
  type Exchange,
  type GatewayMiddleware,
  type GatewayPlugin,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  PLUGIN_ID,
  RequestCopies,
  type Route,
  SERVICES,
  ServiceReferences,
  type ServiceRegistry,
} from '../../core/index.js';
import { type ShadowCounts, shadowMetrics } from './metrics.js';

/** Options of the traffic shadow. */
export interface TrafficShadowOptions {
  readonly service?: string;
  readonly percentage: number;
  readonly methods: readonly string[];
  /** Bytes. */
  readonly maxBody: number;
  readonly maxConcurrent: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly removeHeaders: readonly string[];
}

/** Tells the second service that it is a copy; one that carries it is not copied again. */
const MARK = 'x-shadow-request';

/** How long copies may take to end when the plugin is stopped, in milliseconds. */
const GRACE = 5000;

/** Sends copies of requests to a second service. What becomes of them is counted, and concerns nobody else. */
@injectable()
export class TrafficShadow implements GatewayPlugin<TrafficShadowOptions> {
  readonly hooks = {
    onStop: () => this.#copies.close(GRACE),
  };
  readonly #services: ServiceRegistry;
  readonly #pluginId: string;
  readonly #references: ServiceReferences;
  readonly #counts: ShadowCounts;
  readonly #copies: RequestCopies;
  readonly #random: () => number;

  /** @param random in [0, 1); for tests */
  constructor(
    @inject(SERVICES) services: ServiceRegistry,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) keptState: KeptState,
    random: () => number = Math.random,
  ) {
    this.#services = services;
    this.#pluginId = pluginId;
    this.#references = new ServiceReferences({ services, pluginId, logger });
    this.#counts = keptState.keep(`traffic-shadow ${pluginId}`, () => ({
      sent: 0,
      failed: 0,
      busy: 0,
      unavailable: 0,
      body: 0,
    }));
    this.#copies = new RequestCopies(clock, this.#counts);
    this.#random = random;
  }

  /** @throws ConfigurationError when the options name a service that is not there */
  middleware(route: Route, options: TrafficShadowOptions): GatewayMiddleware | undefined {
    const { service, percentage, methods, maxBody } = options;
    this.#references.check(route, service === undefined ? [] : [{ path: 'service', service }]);
    // A service of the list's own entry is none for its own requests.
    if (service === undefined || service === route.service.name || percentage === 0) return undefined;
    const copied = new Set(methods);
    const form = copyForm({ ...options, without: options.removeHeaders, fields: { [MARK]: '1' } });
    return (ctx, next) => {
      const exchange = ctx.gateway;
      const { req, kind } = exchange;
      if (
        kind !== 'http' ||
        !copied.has(req.method ?? '') ||
        req.headers[MARK] !== undefined ||
        this.#random() * 100 >= percentage
      ) {
        return next();
      }
      if (!fits(exchange, maxBody)) {
        this.#counts.body++;
        return next();
      }
      if (exchange.hasBody && exchange.body === undefined) {
        // Without a limit: the body is known to be small enough, and a copy must not make a request fail.
        return exchange.readBody(0).then(() => this.#pass(exchange, next, service, form));
      }
      return this.#pass(exchange, next, service, form);
    };
  }

  metrics(): Iterable<Metric> {
    return shadowMetrics(this.#pluginId, this.#counts, this.#copies.active);
  }

  /** The request itself goes first. */
  #pass(exchange: Exchange, next: () => Promise<void>, name: string, form: CopyForm): Promise<void> {
    const passed = next();
    const service = this.#services.get(name);
    if (service === undefined) this.#counts.unavailable++;
    else this.#copies.send(exchange, service, form);
    return passed;
  }
}

/** Whether the body is known to have at most so many bytes. */
function fits({ hasBody, body, req }: Exchange, maxBody: number): boolean {
  if (body !== undefined) return body.length <= maxBody;
  if (!hasBody) return true;
  const declared = req.headers['content-length'];
  return declared !== undefined && Number(declared) <= maxBody;
}
