import { type Clock, type Exchange, errorCodeOf, type GatewayRequest, statusOf } from '../../core/index.js';
import { passConnection } from './connection-bytes.js';
import { CodeNumbers, type HistogramBounds, methodIndex, RouteTraffic, ServiceTraffic } from './traffic.js';

/**
 * Counts requests as they end. Label texts are made when a combination is met for the first time; after that, to count a
 * request is to find its counters, by numbers and by names of the routing table, and to add.
 */
export class TrafficMeter {
  readonly #clock: Clock;
  readonly #codes = new CodeNumbers();
  readonly #services = new Map<string, ServiceTraffic>();
  /** By route, then by the service that it led to, which a plugin may have changed. */
  readonly #routes = new Map<string, Map<string, RouteTraffic>>();
  #bounds: HistogramBounds;

  constructor(clock: Clock, bounds: HistogramBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Takes other buckets into use; histograms whose buckets change begin anew, counters go on. */
  useBounds(bounds: HistogramBounds): void {
    const { requests, upstream } = this.#bounds;
    this.#bounds = bounds;
    if (!upstream.equals(bounds.upstream)) {
      for (const service of this.#services.values()) service.forgetDurations(bounds);
    }
    if (requests.equals(bounds.requests)) return;
    for (const route of this.routes()) route.forgetDurations();
  }

  /** Counts a request that is over, unless it was for one of the gateway's own routes. */
  record(request: GatewayRequest): void {
    const { req } = request;
    if (!request.counted) {
      passConnection(request, undefined);
      return;
    }
    const exchange = request.isExchange() ? request : undefined;
    const route = this.#routeOf(exchange);
    const { service } = route;
    const now = this.#clock.monotonic();
    const method = methodIndex(req.method);
    const status = statusOf(request);
    route.countOf(method, status, errorCodeOf(request), this.#codes).count++;
    passConnection(request, service);
    service.decisions.count(request);
    const duration = (now - request.startedAt) / 1000;
    const durations = route.durationsOf(method, this.#bounds.requests);
    durations.observe(duration);
    if (exchange === undefined) return;
    countAttempts(exchange, service);
    const traceId = recordedTrace(exchange);
    if (traceId !== undefined) durations.keepExemplar(traceId, duration, this.#clock.now());
  }

  /**
   * Forgets what was counted of services and routes that are gone.
   *
   * @param hasRoute whether there is a route of this id
   */
  prune(services: ReadonlySet<string>, hasRoute: (id: string) => boolean): void {
    for (const name of this.#services.keys()) {
      if (name !== '' && !services.has(name)) this.#services.delete(name);
    }
    for (const [id, byService] of this.#routes) {
      if (id === '') continue;
      for (const name of byService.keys()) if (!services.has(name)) byService.delete(name);
      if (byService.size === 0 || !hasRoute(id)) this.#routes.delete(id);
    }
  }

  /** By name; the empty one is for what matched no route. */
  get services(): ReadonlyMap<string, ServiceTraffic> {
    return this.#services;
  }

  *routes(): Iterable<RouteTraffic> {
    for (const byService of this.#routes.values()) yield* byService.values();
  }

  #routeOf(exchange: Exchange | undefined): RouteTraffic {
    const route = exchange?.route.id ?? '';
    const service = exchange?.service.name ?? '';
    return this.#routes.get(route)?.get(service) ?? this.#add(route, service);
  }

  #add(route: string, service: string): RouteTraffic {
    let traffic = this.#services.get(service);
    if (traffic === undefined) {
      traffic = new ServiceTraffic(service, this.#bounds);
      this.#services.set(service, traffic);
    }
    const made = new RouteTraffic(traffic, { service, route });
    const byService = this.#routes.get(route) ?? new Map<string, RouteTraffic>();
    this.#routes.set(route, byService.set(service, made));
    return made;
  }
}

/**
 * The id of the trace of a request, where there is one to be found: what the upstream is told says whether it is recorded
 * (W3C Trace Context section 3.2.2.5.1).
 */
function recordedTrace(exchange: Exchange): string | undefined {
  const { trace_id: traceId }: Readonly<Record<string, unknown>> = exchange.decisions;
  if (typeof traceId !== 'string') return undefined;
  const told = exchange.upstreamHeaders?.get('traceparent');
  const sampled = told === undefined || (Number.parseInt(told.slice(-2), 16) & 1) === 1;
  return sampled ? traceId : undefined;
}

function countAttempts({ attempts, upstream }: Exchange, service: ServiceTraffic): void {
  service.attempts += attempts;
  if (attempts > 1) service.retries += attempts - 1;
  if (upstream !== undefined && upstream.status !== 0) {
    service.upstream.observe((upstream.headAt - upstream.sentAt) / 1000);
  }
}
