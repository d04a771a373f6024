import { Agent, type ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import HttpProxy from 'http-proxy';
import { GatewayError, upstreamError } from '../../../core/index.js';

/** What http-proxy is to ask the target for. */
export interface TunnelHandshake {
  readonly req: IncomingMessage;
  readonly client: Duplex;
  /** What the client has sent behind its request. */
  readonly head: Buffer;
  /** Connected to the target. */
  readonly raw: Socket;
  readonly path: string;
  /** Names and values in turn, with `Host`, and without `Connection` and `Upgrade`. */
  readonly fields: readonly string[];
  /** The protocol that is asked for. */
  readonly upgrade: string;
  /**
   * Called before the 101 goes to the client.
   *
   * @param head what the target has sent behind its response
   * @returns the fields of the 101, by name
   */
  readonly onSwitching: (response: IncomingMessage, head: Buffer) => Record<string, string | string[]>;
  readonly signal: AbortSignal;
}

/** What http-proxy goes by; the real host stands in the fields, and the connection is there already. */
const TARGET = { protocol: 'http:', host: 'upstream', port: '80' };

/**
 * http-proxy's `ws()`, with what it gets wrong before the 101 put right: it would end the client's socket on any error, before
 * it could be answered; it writes other responses than 101 as they come; it knows only WebSocket, merges slashes in paths, and
 * has no time limits. Behind the 101 it pipes, and tunnel.ts watches.
 */
export class HttpProxyHandshake {
  readonly #proxy = HttpProxy.createProxyServer({});
  readonly #agent = new HandedAgent();

  /**
   * @returns undefined when the 101 was written and the pipes are laid; otherwise the response of a target that did not agree
   * @throws GatewayError; the reason of the signal. Nothing was written then.
   */
  make(handshake: TunnelHandshake): Promise<IncomingMessage | undefined> {
    const { req, client, head, raw, fields, signal } = handshake;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const begun: { request?: ClientRequest } = {};
      const settle = () => signal.removeEventListener('abort', onAbort);
      const onAbort = () => begun.request?.destroy(signal.reason);
      const fail = (error: unknown) => {
        settle();
        raw.destroy();
        reject(upstreamError(error));
      };
      this.#proxy.once('proxyReqWs', (request) => {
        begun.request = request;
        request.path = handshake.path;
        request.setHeader('Upgrade', handshake.upgrade);
        // Before http-proxy's own listener, which writes the 101 out of these fields.
        request.once('upgrade', (response: IncomingMessage, _socket: Socket, upstreamHead: Buffer) => {
          settle();
          // http-proxy keeps the request as long as the tunnel is open: it must not keep all that we know of it as well.
          request.removeAllListeners('error');
          request.removeAllListeners('response');
          request.on('error', ignore);
          response.headers = handshake.onSwitching(response, upstreamHead);
          resolve(undefined);
        });
      });
      const options = { target: TARGET, agent: this.#agent, method: req.method ?? 'GET', toProxy: true };
      this.#agent.next = raw;
      // It is called for errors behind the 101 too, which tunnel.ts sees on the sockets.
      this.#proxy.ws(webSocketRequest(req, fields), client, head, options, ignore);
      const { request } = begun;
      if (request === undefined) {
        fail(new GatewayError('BAD_GATEWAY'));
        return;
      }
      request.removeAllListeners('error');
      request.removeAllListeners('response');
      request.on('error', fail);
      request.on('response', (response) => {
        settle();
        resolve(response);
      });
      signal.addEventListener('abort', onAbort);
    });
  }
}

/** Gives out the connection that it was handed, for the request that is made next. */
class HandedAgent extends Agent {
  next: Socket | undefined;

  override createConnection(): Socket {
    const { next } = this;
    if (next === undefined) throw new Error('There is no connection for this request');
    this.next = undefined;
    return next;
  }
}

function ignore(): void {}

/** The request as http-proxy wants to see it: a WebSocket's, with the fields that go to the target. */
function webSocketRequest(req: IncomingMessage, fields: readonly string[]): IncomingMessage {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    const value = fields[i + 1] ?? '';
    const before = headers[name];
    headers[name] = before === undefined ? value : [...[before].flat(), value];
  }
  headers.connection = 'Upgrade';
  headers.upgrade = 'websocket';
  const request = new IncomingMessage(req.socket);
  request.method = 'GET';
  request.url = '/';
  request.headers = headers;
  return request;
}
