import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Settings } from '../config/schema.js';
import { GatewayResponse } from './gateway-response.js';
import { Http2Side } from './http2-side.js';
import { ServerCertificates } from './server-tls.js';
import type { Http2Connect } from './stream-socket.js';

/** Where to listen, and what for. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly tls: Settings['tls'];
  readonly limits: Settings['limits'];
  /** Folder that certificate files are relative to. */
  readonly baseDirectory: string;
}

type RequestHandler = (req: IncomingMessage, res: ServerResponse) => void;

/** What becomes of whatever comes in by a listener; by the names of Node's own events. */
export interface ListenerHandlers {
  readonly request: RequestHandler;
  readonly checkContinue: RequestHandler;
  readonly checkExpectation: RequestHandler;
  readonly upgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => void;
  readonly connect: (req: IncomingMessage, socket: Socket) => void;
  /** CONNECT by HTTP/2, where its stream is answered like any other. */
  readonly http2Connect: (req: Http2Connect, res: ServerResponse) => void;
  readonly clientError: (error: Error, socket: Socket) => void;
}

/** One listening socket: HTTP/1.1, or TLS with HTTP/1.1 and HTTP/2. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server<typeof IncomingMessage, typeof GatewayResponse>;
  readonly #certificates: ServerCertificates | undefined;
  readonly #http2: Http2Side | undefined;
  readonly #sockets = new Set<Socket>();

  /** @throws Error when a certificate or key file cannot be read or used */
  constructor(options: ListenerOptions) {
    this.#options = options;
    const { tls, limits, baseDirectory } = options;
    if (tls === undefined) {
      this.#server = createServer(http1Options(limits));
    } else {
      this.#certificates = new ServerCertificates(tls, baseDirectory);
      const secure = this.#certificates.options();
      this.#server = createTlsServer({
        ...secure,
        ...http1Options(limits),
        handshakeTimeout: limits.headersTimeout === 0 ? 120_000 : limits.headersTimeout,
        ALPNProtocols: tls.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      });
      if (tls.http2) this.#http2 = new Http2Side(this.#server, secure, limits);
    }
    // The gateway counts the fields itself: Node.js would drop those beyond its own limit without a word.
    this.#server.maxHeadersCount = 0;
    if (limits.connections > 0) this.#server.maxConnections = limits.connections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Hands what comes in to its handlers, whatever version of HTTP it came by. */
  attach(handlers: ListenerHandlers): void {
    this.#server.on('request', handlers.request);
    this.#server.on('checkContinue', handlers.checkContinue);
    this.#server.on('checkExpectation', handlers.checkExpectation);
    this.#server.on('upgrade', handlers.upgrade);
    this.#server.on('connect', handlers.connect);
    this.#server.on('clientError', handlers.clientError);
    this.#http2?.attach(handlers);
  }

  listen(): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#options.host, port: this.#options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  /** Where it listens. */
  address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The gateway is not listening');
    return address;
  }

  /**
   * Takes renewed certificates into use; connections that are open keep theirs.
   *
   * @throws Error when a file cannot be read or used; the certificates in use stay then
   */
  renewTls(tls: Settings['tls']): void {
    if (tls === undefined || this.#certificates === undefined || !(this.#server instanceof TlsServer)) return;
    this.#certificates.renew(tls, this.#options.baseDirectory);
    this.#server.setSecureContext(this.#certificates.options());
  }

  /** Takes no new connections any more, and ends those that wait for a request. */
  stopAccepting(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
    this.#http2?.closeSessions();
  }

  /** Ends whatever is still open. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function http1Options(limits: Settings['limits']) {
  return {
    ServerResponse: GatewayResponse,
    maxHeaderSize: limits.headers,
    headersTimeout: limits.headersTimeout,
    // Bodies have limits of their own; this one would end a long upload however fast it is.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: Math.max(10, Math.min(1000, limits.headersTimeout / 2)),
    // The gateway checks it itself, and says in its own format what is wrong.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
  } satisfies ServerOptions<typeof IncomingMessage, typeof GatewayResponse>;
}
