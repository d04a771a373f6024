import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Settings } from '../config/schema.js';
import type { GatewayResponse } from './gateway-response.js';
import type { ListenerHandlers } from './listeners.js';

/**
 * HTTP/2 on a TLS server whose own protocol is HTTP/1.1: connections that negotiated `h2` (RFC 7301) are handed to an
 * HTTP/2 server that does not listen itself. Node's `allowHTTP1` would do the reverse, and lose the time limits
 * that only its HTTP/1.1 server has.
 */
export class Http2Side {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(
    tlsServer: Server<typeof IncomingMessage, typeof GatewayResponse>,
    tls: SecureContextOptions,
    limits: Settings['limits'],
  ) {
    this.#server = createSecureServer({
      ...tls,
      maxHeaderListPairs: limits.headerFields,
      settings: {
        maxHeaderListSize: limits.headers,
        maxConcurrentStreams: 256,
        // Whatever the plugins: a reload may bring or take the one for WebSockets, and what has been announced on a session
        // must not be taken back (RFC 8441 section 3). Without one they get 501, as on HTTP/1.1.
        enableConnectProtocol: true,
      },
    });
    this.#server.on('session', (session) => this.#track(session, limits.keepAlive));
    const toHttp1 = tlsServer.listeners('secureConnection');
    tlsServer.removeAllListeners('secureConnection');
    tlsServer.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') this.#server.emit('secureConnection', socket);
      else for (const listener of toHttp1) listener.call(tlsServer, socket);
    });
  }

  attach(handlers: ListenerHandlers): void {
    // Node's HTTP/2 requests and responses are made to be used as those of HTTP/1.1; only their types do not say so.
    const server: EventEmitter = this.#server;
    server.on('request', handlers.request);
    server.on('checkContinue', handlers.checkContinue);
    server.on('checkExpectation', handlers.checkExpectation);
    server.on('connect', handlers.http2Connect);
  }

  /** Lets every session end with the streams that are open in it (GOAWAY, RFC 9113 section 6.8). */
  closeSessions(): void {
    for (const session of this.#sessions) session.close();
  }

  /** @param idle how long a session without streams is kept, in milliseconds */
  #track(session: ServerHttp2Session, idle: number): void {
    let streams = 0;
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('stream', (stream) => {
      streams++;
      stream.once('close', () => streams--);
    });
    // A stream of events may be silent for longer than that; a session with nothing in it may not.
    session.setTimeout(idle, () => {
      if (streams === 0) session.close();
    });
  }
}
