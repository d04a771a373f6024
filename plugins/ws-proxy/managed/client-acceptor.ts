import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Server, WebSocketServer } from 'ws';
import { GatewayError } from '../../../core/index.js';
import { RelaySocket } from './peer.js';
import type { ManagedSettings } from './settings.js';

/** Answers clients with 101, once their upstream is there. */
export class ClientAcceptor {
  readonly #server: Server<typeof RelaySocket>;
  /** What the 101 under way is to say; it is written at once, so that there is never more than one. */
  #protocol = '';
  #fields: readonly string[] = [];
  #failure: Error | undefined;

  constructor(settings: ManagedSettings) {
    const options = {
      noServer: true,
      clientTracking: false,
      WebSocket: RelaySocket,
      maxPayload: settings.maxMessage,
      perMessageDeflate: settings.deflate.client,
      autoPong: false,
      closeTimeout: settings.closeTimeout,
      handleProtocols: () => (this.#protocol === '' ? false : this.#protocol),
    };
    this.#server = new WebSocketServer(options);
    this.#server.on('headers', (lines) => {
      for (let i = 0; i + 1 < this.#fields.length; i += 2)
        lines.push(`${this.#fields[i]}: ${this.#fields[i + 1]}`);
    });
    this.#server.on('wsClientError', (error) => {
      this.#failure = error;
    });
  }

  /**
   * Writes the 101.
   *
   * @param protocol the subprotocol that the upstream chose, or the empty string
   * @param fields further fields of the 101, names and values in turn
   * @param head what the client has sent behind its request
   * @throws GatewayError BAD_REQUEST for an offer of extensions that is malformed, CLIENT_CLOSED_REQUEST; nothing was
   *   written then
   */
  accept(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    protocol: string,
    fields: readonly string[],
  ): RelaySocket {
    this.#protocol = protocol;
    this.#fields = fields;
    this.#failure = undefined;
    let accepted: RelaySocket | undefined;
    this.#server.handleUpgrade(req, socket, head, (opened) => {
      accepted = opened;
    });
    if (accepted !== undefined) return outlastingEnd(accepted, socket);
    if (this.#failure === undefined) throw new GatewayError('CLIENT_CLOSED_REQUEST');
    throw new GatewayError('BAD_REQUEST', {
      message: 'The field Sec-WebSocket-Extensions is malformed',
      cause: this.#failure,
    });
  }
}

/**
 * `ws` ends a connection as soon as the other side has ended its own, and can send nothing then. But a client may end its side right
 * behind its close, as browsers do in HTTP/2, and the answer to that is still to come; when it is sent, `ws` ends the connection.
 */
function outlastingEnd(accepted: RelaySocket, socket: Duplex): RelaySocket {
  const listeners = socket.listeners('end');
  socket.removeAllListeners('end');
  socket.on('end', () => {
    if (accepted.awaitsAnswer) return;
    for (const listener of listeners) listener.call(socket);
  });
  return accepted;
}
