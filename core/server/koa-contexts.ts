import Stream from 'node:stream';
import Koa from 'koa';
import { Exchange, type GatewayRequest } from '../exchange.js';
import type { EndpointContext, GatewayContext, GatewayState } from '../plugin.js';
import { BodyStream } from '../proxy/body-stream.js';

/** Fields that describe a body, and go when another takes its place. */
const REPRESENTATION_FIELDS = ['Content-Encoding', 'Content-Range', 'Content-Length', 'ETag'];

/** {@link GatewayContext} for an exchange, {@link EndpointContext} for any other request. */
type ContextOf<Request extends GatewayRequest> = Koa.ParameterizedContext<GatewayState, { gateway: Request }>;

type App = Koa<GatewayState, { gateway: GatewayRequest }>;

/** Makes the contexts that the onion works on: Koa's own, over the gateway's way of keeping bodies. */
export class KoaContexts {
  readonly #app: App = new Koa<GatewayState, { gateway: GatewayRequest }>();

  /** @param onLateError receives errors of bodies that plugins set, when they come while the body is being sent */
  constructor(onLateError: (request: GatewayRequest, error: unknown) => void) {
    lendUpstreamBody(this.#app);
    this.#app.context.onerror = function onerror(this: EndpointContext, error: unknown) {
      // Koa calls this with null from its own bookkeeping when a stream ends well.
      if (error !== null && error !== undefined) onLateError(this.gateway, error);
    };
  }

  create<Request extends GatewayRequest>(request: Request): ContextOf<Request> {
    const { req, res } = request;
    // Koa's default, as long as nobody answers.
    res.statusCode = 404;
    const ctx = this.#app.createContext(req, res) as ContextOf<Request>;
    ctx.gateway = request;
    return ctx;
  }
}

/**
 * Makes `ctx.body` the upstream's body, as a stream that is only made when somebody reads the property, so that
 * middleware written for plain Koa (koa-compress, koa-etag) works unchanged and nobody else pays for it.
 */
function lendUpstreamBody(app: App): void {
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(app.response), 'body');
  if (!own?.get || !own.set) throw new Error('This version of Koa has no response.body to build on');
  const { get, set } = own;
  Object.defineProperty(app.response, 'body', {
    configurable: true,
    get(this: Koa.Response): unknown {
      const { gateway } = this.ctx as EndpointContext;
      if (!(gateway instanceof Exchange)) return get.call(this);
      if (gateway.storedBody !== undefined) return gateway.storedBody.bytes;
      if (gateway.bodySource !== 'upstream') return get.call(this);
      if (gateway.upstream === undefined) return undefined;
      gateway.bodyStream ??= new BodyStream(gateway.upstream);
      return gateway.bodyStream;
    },
    set(this: Koa.Response, body: unknown): void {
      const { gateway } = this.ctx as EndpointContext;
      if (gateway instanceof Exchange && gateway.bodySource === 'upstream') {
        if (body !== undefined && body === gateway.bodyStream) return;
        dropUpstreamBody(this, gateway, body);
        // First, because Koa looks at the body when a status without one is set, and would come here again.
        gateway.bodySource = 'plugin';
        // Tells Koa that the upstream's status is meant, so that a new body does not make it 200.
        this.status = gateway.res.statusCode;
      }
      if (gateway instanceof Exchange) gateway.storedBody = undefined;
      gateway.bodySource = 'plugin';
      set.call(this, body);
    },
  });
}

/** The upstream's body was replaced: by something made from it, or by something else altogether. */
function dropUpstreamBody(response: Koa.Response, exchange: Exchange, body: unknown): void {
  const stream = exchange.bodyStream;
  if (stream !== undefined && (stream.attached || body instanceof Stream)) {
    response.remove('Content-Length');
    return;
  }
  for (const field of REPRESENTATION_FIELDS) response.remove(field);
  exchange.upstream?.abort(new Error('A plugin replaced the response body'));
}
