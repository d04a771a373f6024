import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { type ClientOptions, type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { until } from '../../support/until.js';

/** What a WebSocket end has seen: frames in order, and its close. */
class Seen {
  /** `text:…`, `binary:<hex>`, `ping:…`, `pong:…` in the order they came. */
  readonly frames: string[] = [];
  bytes = 0;
  close: { readonly code: number; readonly reason: string } | undefined;
  error: Error | undefined;

  constructor(socket: WebSocket) {
    socket.on('message', (data, isBinary) => {
      const bytes = toBuffer(data);
      this.bytes += bytes.length;
      this.frames.push(isBinary ? `binary:${bytes.toString('hex')}` : `text:${bytes}`);
    });
    socket.on('ping', (data) => this.frames.push(`ping:${data.toString('latin1')}`));
    socket.on('pong', (data) => this.frames.push(`pong:${data.toString('latin1')}`));
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', (code, reason) => {
      this.close = { code, reason: reason.toString() };
    });
  }

  /** The texts among the frames. */
  get texts(): string[] {
    return this.frames.filter((frame) => frame.startsWith('text:')).map((frame) => frame.slice(5));
  }

  async closed(limit?: number): Promise<{ readonly code: number; readonly reason: string }> {
    await until('the close', () => this.close !== undefined, limit);
    return this.close ?? { code: 0, reason: '' };
  }
}

/** A connection that an upstream has taken. */
export interface Accepted {
  readonly socket: WebSocket;
  readonly raw: Socket;
  readonly req: IncomingMessage;
  readonly seen: Seen;
}

/** A WebSocket server that stands for a service. */
export interface WebSocketUpstream {
  readonly url: string;
  readonly port: number;
  readonly accepted: Accepted[];
  readonly server: Server;
  /** Ends everything, as a process that is killed does. */
  close(): Promise<void>;
}

/** Starts one on 127.0.0.1. Messages are echoed unless `onConnection` says otherwise. */
export async function startWebSocketUpstream(
  onConnection: (accepted: Accepted) => void = echo,
  options: ServerOptions = {},
  port = 0,
): Promise<WebSocketUpstream> {
  const server = createServer((_req, res) => res.writeHead(404).end('no such thing'));
  const webSockets = new WebSocketServer({ noServer: true, ...options });
  const sockets = new Set<Socket>();
  const accepted: Accepted[] = [];
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.on('upgrade', (req, socket: Socket, head) => {
    webSockets.handleUpgrade(req, socket, head, (opened) => {
      const connection = { socket: opened, raw: socket, req, seen: new Seen(opened) };
      accepted.push(connection);
      onConnection(connection);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The upstream has no TCP address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    accepted,
    server,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
  };
}

export function echo({ socket }: Accepted): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
}

/** Says nothing by itself. */
export function silent(): void {}

/** An open WebSocket to the gateway, and what it has seen. */
export interface Client {
  readonly socket: WebSocket;
  readonly seen: Seen;
  /** The gateway's 101. */
  readonly response: IncomingMessage;
}

/** Opens a WebSocket, or rejects with the error of `ws`. */
export async function openClient(
  url: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<Client> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, {
    perMessageDeflate: false,
    ...options,
  });
  const seen = new Seen(socket);
  const responses: IncomingMessage[] = [];
  socket.on('upgrade', (response) => responses.push(response));
  await once(socket, 'open');
  const [response] = responses;
  if (response === undefined) throw new Error('Opened without a response');
  return { socket, seen, response };
}

/** What a refused WebSocket was answered with. */
export async function refused(
  url: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<{ readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, {
    perMessageDeflate: false,
    ...options,
  });
  socket.on('error', () => undefined);
  socket.on('open', () => socket.emit('unexpected-response', undefined, undefined));
  const [, response]: (IncomingMessage | undefined)[] = await once(socket, 'unexpected-response');
  if (response === undefined) throw new Error('It was not refused');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  socket.terminate();
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
