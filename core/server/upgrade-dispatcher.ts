import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../errors.js';
import { Exchange, GatewayRequest } from '../exchange.js';
import type { Generation } from '../generation.js';
import type { AttemptUpgrade } from '../plugin.js';
import { type Dispatcher, type DispatcherOptions, findRoute } from './dispatcher.js';
import { GatewayResponse } from './gateway-response.js';
import type { Arrival } from './request-reader.js';
import { writeResponse } from './writer.js';

/**
 * The whole way of an upgrade request (RFC 9110 section 7.8): the route's onion runs before anything is written, so that a
 * refusal is a real HTTP response on the raw socket; then the plugin that handles upgrades takes the socket over.
 */
export class UpgradeDispatcher {
  readonly #options: DispatcherOptions;
  readonly #http: Dispatcher;
  readonly #latest: () => Generation;
  #open = 0;
  #onClosed: (() => void)[] = [];

  /**
   * @param http takes requests that ask for an upgrade which nobody needs to grant
   * @param latest the generation that takes requests now; connections outlive the one that they were opened in
   */
  constructor(options: DispatcherOptions, http: Dispatcher, latest: () => Generation) {
    this.#options = options;
    this.#http = http;
    this.#latest = latest;
  }

  dispatch(req: IncomingMessage, socket: Socket, head: Buffer, generation: Generation): void {
    const res = new GatewayResponse(req);
    res.shouldKeepAlive = false;
    // HTTP/2 has frames of its own: chunks would be taken for the body.
    if (req.httpVersion === '2.0') res.useChunkedEncodingByDefault = false;
    // Nobody else hears of the socket's errors until it is taken over, and an unheard one would end the process.
    socket.on('error', () => socket.destroy());
    const arrival: Arrival = { req, res, kind: 'upgrade', expectsContinue: false };
    if (isIgnorable(req)) {
      // RFC 9110 section 7.8: a server may ignore Upgrade. Node.js has let go of the socket, so it ends with the response.
      assign(res, socket);
      this.#http.dispatch({ ...arrival, kind: 'http' }, generation);
    } else {
      void this.#upgrade(arrival, socket, head, generation);
    }
  }

  /** Settles when no upgraded connection is open; at once when there is none. */
  closed(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  async #upgrade(arrival: Arrival, socket: Socket, head: Buffer, generation: Generation): Promise<void> {
    const { reader, contexts, boundary } = this.#options;
    let request: GatewayRequest | undefined;
    try {
      const facts = reader.read(arrival, generation);
      const { compiled, params, upstreamPath } = findRoute(facts, generation);
      if (compiled.upgrade === undefined) {
        throw new GatewayError('NOT_IMPLEMENTED', { message: 'This route takes no protocol upgrades' });
      }
      const exchange = new Exchange(facts, compiled.route, params, upstreamPath + facts.query);
      request = exchange;
      const leave = generation.enterUpgrade(exchange, compiled.finished, socket);
      const ctx = contexts.create(exchange);
      await compiled.handle(ctx);
      if (exchange.bodySource === 'none') {
        await compiled.upgrade(ctx, socket, head, this.#attempt(compiled.attemptUpgrade));
        if (exchange.bodySource === 'none') {
          this.#keep(socket);
          arrival.res.statusCode = 101;
          leave();
          return;
        }
      }
      writeResponse(ctx);
    } catch (failure) {
      if (request === undefined) {
        request = new GatewayRequest(reader.readRefused(arrival, generation));
        generation.enterUpgrade(request, generation.finished, socket);
      }
      boundary.answer(request, failure);
    }
    if (!socket.destroyed) assign(arrival.res, socket);
  }

  /**
   * A connection may be made anew long after the generation that it was opened in has gone: the wrappers of the latest one
   * count then, where it still has the route.
   */
  #attempt(own: AttemptUpgrade): AttemptUpgrade {
    return (exchange, connect, tried) => {
      const attempt = this.#latest().router.byId(exchange.route.id)?.attemptUpgrade ?? own;
      return attempt(exchange, connect, tried);
    };
  }

  #keep(socket: Socket): void {
    if (socket.destroyed) return;
    this.#open++;
    socket.once('close', () => {
      this.#open--;
      if (this.#open > 0) return;
      for (const resolve of this.#onClosed.splice(0)) resolve();
    });
  }
}

/** How long, in milliseconds, a client may take to close its side after it was refused. */
const LINGER = 1000;

/** Gives a response the raw socket, which ends with it. What was written before goes out now. */
function assign(res: Arrival['res'], socket: Socket): void {
  res.once('finish', () => {
    socket.end();
    // What the client still sends is thrown away: closing at once might reset the connection before it has read the answer.
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once('close', () => clearTimeout(timer));
  });
  // Node.js has let go of the socket, and tells the response no more.
  socket.on('drain', () => res.emit('drain'));
  res.assignSocket(socket);
}

/** Whether the request means something without its upgrade: no WebSocket, and no body that the parser has left unread. */
function isIgnorable(req: IncomingMessage): boolean {
  const { upgrade, 'content-length': length, 'transfer-encoding': coding } = req.headers;
  return upgrade?.toLowerCase() === 'h2c' && coding === undefined && (length === undefined || length === '0');
}
