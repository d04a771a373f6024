import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../clock.js';
import type { Settings } from '../config/schema.js';
import { GatewayError } from '../errors.js';
import { GatewayRequest } from '../exchange.js';
import type { Generation } from '../generation.js';
import type { Logger } from '../log/logger.js';
import { answerClientError, endWithResponse } from './client-errors.js';
import { Dispatcher } from './dispatcher.js';
import { ErrorBoundary } from './error-boundary.js';
import { NO_PROXY, upgradeOf } from './extended-connect.js';
import { KoaContexts } from './koa-contexts.js';
import { Listener } from './listeners.js';
import { type Arrival, RequestReader } from './request-reader.js';
import { UpgradeDispatcher } from './upgrade-dispatcher.js';

// On the socket itself: a look-up per request in a WeakMap costs several times as much.
const LATEST = Symbol('latestResponse');

interface BusySocket extends Socket {
  /** The latest response on an HTTP/1 connection. */
  [LATEST]?: ServerResponse;
}

/** Whether a response that ends its connection makes what was pipelined behind it void (RFC 9112 section 9.6). */
function isVoid(socket: Socket): boolean {
  return (socket as BusySocket)[LATEST]?.shouldKeepAlive === false;
}

/** What the server works with. */
export interface GatewayServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The generation that takes requests now. */
  readonly generation: () => Generation;
}

/** The listening side of the gateway: its sockets, and what becomes of whatever comes in by them. */
export class GatewayServer {
  readonly #options: GatewayServerOptions;
  readonly #reader: RequestReader;
  readonly #boundary: ErrorBoundary;
  readonly #http: Dispatcher;
  readonly #upgrades: UpgradeDispatcher;
  #main: Listener | undefined;
  #admin: Listener | undefined;
  #draining = false;

  constructor(options: GatewayServerOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#reader = new RequestReader(clock);
    this.#boundary = new ErrorBoundary(clock, logger);
    const contexts = new KoaContexts((request, error) => this.#boundary.answer(request, error));
    const parts = { reader: this.#reader, boundary: this.#boundary, contexts };
    this.#http = new Dispatcher(parts);
    this.#upgrades = new UpgradeDispatcher(parts, this.#http, options.generation);
  }

  /**
   * Opens the sockets.
   *
   * @param baseDirectory folder that certificate files are relative to
   * @throws Error when an address is taken, or a certificate cannot be used; nothing stays open then
   */
  async listen(settings: Settings, baseDirectory: string): Promise<void> {
    const { host, port, tls, limits, admin } = settings;
    this.#main = this.#attach(new Listener({ host, port, tls, limits, baseDirectory }), false);
    await this.#main.listen();
    if (admin.port === undefined) return;
    const options = { host: admin.host, port: admin.port, tls: undefined, limits, baseDirectory };
    this.#admin = this.#attach(new Listener(options), true);
    try {
      await this.#admin.listen();
    } catch (error) {
      this.#main.stopAccepting();
      throw error;
    }
  }

  /** Where clients are served. */
  address(): AddressInfo {
    if (this.#main === undefined) throw new Error('The gateway has not been started');
    return this.#main.address();
  }

  /** Where administrators are served, if on a listener of their own. */
  adminAddress(): AddressInfo | undefined {
    return this.#admin?.address();
  }

  /** Takes renewed certificates into use. */
  renewTls(settings: Settings): void {
    this.#main?.renewTls(settings.tls);
  }

  /** Takes no new connections any more; those that are open end with the response that is under way. */
  drain(): void {
    this.#draining = true;
    this.#main?.stopAccepting();
    this.#admin?.stopAccepting();
  }

  /** Settles when no upgraded connection is open; at once when there is none. */
  upgradesClosed(): Promise<void> {
    return this.#upgrades.closed();
  }

  /** Ends whatever is still open. */
  destroy(): void {
    this.#main?.destroy();
    this.#admin?.destroy();
  }

  #attach(listener: Listener, byAdminListener: boolean): Listener {
    const { generation, clock } = this.#options;
    const dispatch = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) => {
      // In HTTP/2, requests do not stand behind each other.
      if (req.httpVersionMajor === 1) {
        if (isVoid(req.socket)) return;
        (req.socket as BusySocket)[LATEST] = res;
      }
      if (this.#draining) res.shouldKeepAlive = false;
      this.#http.dispatch({ req, res, kind: 'http', expectsContinue }, generation(), byAdminListener);
    };
    const onClientError = (error: Error, socket: Socket) => {
      const response = (socket as BusySocket)[LATEST];
      answerClientError({ error, socket, response, requestId: this.#reader.requestId() }, clock);
    };
    listener.attach({
      request: (req, res) => dispatch(req, res, false),
      checkContinue: (req, res) => dispatch(req, res, true),
      checkExpectation: (req, res) =>
        this.#refuse(
          { req, res, kind: 'http', expectsContinue: false },
          new GatewayError('EXPECTATION_FAILED'),
        ),
      upgrade: (req, socket, head) => {
        const response = (socket as BusySocket)[LATEST];
        // The socket still belongs to the request before: it cannot be given to another response, nor upgraded.
        if (response !== undefined && !response.writableFinished) endWithResponse(socket, response);
        else if (isVoid(socket)) socket.destroy();
        else this.#upgrades.dispatch(req, socket, head, generation());
      },
      // RFC 9110 section 9.3.6: this is no forward proxy.
      connect: (_req, socket) => onClientError(new GatewayError('NOT_IMPLEMENTED', NO_PROXY), socket),
      http2Connect: (req, res) => {
        // Reset before anybody could look at it.
        if (req.stream.destroyed) return;
        try {
          const { req: upgrade, socket } = upgradeOf(req);
          this.#upgrades.dispatch(upgrade, socket, Buffer.alloc(0), generation());
        } catch (error) {
          this.#refuse({ req, res, kind: 'http', expectsContinue: false }, error);
        }
      },
      clientError: onClientError,
    });
    return listener;
  }

  #refuse(arrival: Arrival, error: unknown): void {
    const generation = this.#options.generation();
    const request = new GatewayRequest(this.#reader.readRefused(arrival, generation));
    generation.enter(request, generation.finished);
    this.#boundary.answer(request, error);
  }
}
