import { GatewayError } from '../errors.js';
import { Exchange, GatewayRequest, type RequestFacts } from '../exchange.js';
import type { Generation } from '../generation.js';
import { ANSWERED, type Onion } from '../onion.js';
import type { CompiledRoute, ReceiveHead } from '../pipeline.js';
import type { EndpointContext, GatewayContext } from '../plugin.js';
import type { Forward } from '../proxy/stage.js';
import type { RouteMatch } from '../routing/router.js';
import type { ErrorBoundary } from './error-boundary.js';
import type { KoaContexts } from './koa-contexts.js';
import type { Arrival, RequestReader } from './request-reader.js';
import { writeResponse, writeUpstream } from './writer.js';

/** What the dispatcher works with. */
export interface DispatcherOptions {
  readonly reader: RequestReader;
  readonly contexts: KoaContexts;
  readonly boundary: ErrorBoundary;
}

/**
 * The whole way of an HTTP request, in one place: read the head, find the route, run its onion, write the response.
 * Every failure ends in the error boundary.
 */
export class Dispatcher {
  readonly #reader: RequestReader;
  readonly #contexts: KoaContexts;
  readonly #boundary: ErrorBoundary;

  constructor(options: DispatcherOptions) {
    this.#reader = options.reader;
    this.#contexts = options.contexts;
    this.#boundary = options.boundary;
  }

  /**
   * @param byAdminListener whether it came by the separate admin listener, which knows nothing but admin routes
   */
  dispatch(arrival: Arrival, generation: Generation, byAdminListener = false): void {
    let facts: RequestFacts | undefined;
    try {
      facts = this.#reader.read(arrival, generation);
      if (generation.endpoints.owns(facts.path, byAdminListener)) {
        this.#answer(facts, generation);
      } else if (byAdminListener) {
        throw new GatewayError('NOT_FOUND');
      } else {
        this.#forward(facts, generation);
      }
    } catch (failure) {
      const request = new GatewayRequest(facts ?? this.#reader.readRefused(arrival, generation));
      generation.enter(request, generation.finished);
      this.#boundary.answer(request, failure);
    }
  }

  /** An admin route or an endpoint: the gateway answers itself. */
  #answer(facts: RequestFacts, generation: Generation): void {
    const request = new GatewayRequest(facts);
    generation.enter(request, generation.endpointFinished);
    facts.res.setHeader('X-Request-Id', facts.requestId);
    if (facts.expectsContinue) facts.res.writeContinue();
    this.#run(this.#contexts.create(request), generation.endpoints.handle);
  }

  #forward(facts: RequestFacts, generation: Generation): void {
    const { compiled, params, upstreamPath } = findRoute(facts, generation);
    const exchange = new Exchange(facts, compiled.route, params, upstreamPath + facts.query);
    generation.enter(exchange, compiled.finished);
    // A body that came along with the head is parsed in the same turn, right after this; then it needs no stream.
    if (facts.hasBody) queueMicrotask(() => this.#handle(exchange, compiled, generation));
    else this.#handle(exchange, compiled, generation);
  }

  #handle(exchange: Exchange, compiled: CompiledRoute, generation: Generation): void {
    if (compiled.forward === undefined) this.#run(this.#contexts.create(exchange), compiled.handle);
    else void this.#pass(exchange, compiled.forward, generation.receive);
  }

  /** A route without middleware: what comes from the upstream goes to the client. */
  async #pass(exchange: Exchange, forward: Forward, receive: ReceiveHead): Promise<void> {
    try {
      await forward(exchange);
      receive(exchange);
      writeUpstream(exchange);
    } catch (failure) {
      this.#boundary.answer(exchange, failure);
    }
  }

  #run<Context extends GatewayContext | EndpointContext>(ctx: Context, handle: Onion<Context>): void {
    try {
      const passed = handle(ctx);
      if (passed === ANSWERED) writeResponse(ctx);
      else void this.#writeAfter(passed, ctx);
    } catch (failure) {
      this.#boundary.answer(ctx.gateway, failure);
    }
  }

  async #writeAfter(passed: Promise<void>, ctx: GatewayContext | EndpointContext): Promise<void> {
    try {
      await passed;
      writeResponse(ctx);
    } catch (failure) {
      this.#boundary.answer(ctx.gateway, failure);
    }
  }
}

/**
 * The route of a request.
 *
 * @throws GatewayError ROUTE_NOT_FOUND, or METHOD_NOT_ALLOWED with the methods that are (RFC 9110 section 15.5.6)
 */
export function findRoute(facts: RequestFacts, { router }: Generation): RouteMatch {
  const { req, path, kind } = facts;
  const asked = preflightMethod(facts);
  const method = asked ?? req.method ?? '';
  const query = { method, preflight: asked !== undefined, hostname: facts.hostname, path, req };
  const match = router.find(query);
  if (match === undefined) {
    const allowed = router.allowedMethods(query);
    if (allowed.length === 0) throw new GatewayError('ROUTE_NOT_FOUND');
    throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { Allow: allowed.join(', ') } });
  }
  if (match.websocket && kind === 'http') {
    // Node.js goes by what stands in `Connection`, and would keep a connection that the client wants closed.
    const connection = facts.res.shouldKeepAlive ? 'Upgrade' : 'Upgrade, close';
    throw new GatewayError('UPGRADE_REQUIRED', { headers: { Upgrade: 'websocket', Connection: connection } });
  }
  return match;
}

/**
 * The method that a CORS preflight (Fetch standard, section 3.2.2) asks for: it goes the way of the request that it
 * stands for, or no plugin could ever answer it on a route for other methods.
 */
function preflightMethod({ req }: RequestFacts): string | undefined {
  if (req.method !== 'OPTIONS' || req.headers.origin === undefined) return undefined;
  const asked = req.headers['access-control-request-method'];
  return asked === '' ? undefined : asked;
}
