import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions as SecureServerOptions } from 'node:https';
import { createServer as createNetServer, type Socket } from 'node:net';
import { cannedEndpoints } from './upstream-endpoints.js';

/** How much of a request body is kept for assertions. */
const KEPT_BODY = 64 * 1024;

/** What the upstream saw of one request. The body fields grow while it arrives. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** Names and values in turn, as they stood on the wire (latin1). */
  readonly rawHeaders: readonly string[];
  /** How the body was delimited (RFC 9112 section 6.3). */
  readonly framing: 'none' | 'length' | 'chunked';
  /** The connection that it came on, counted from 1. */
  readonly connection: number;
  bodyLength: number;
  /** The first 64 KB of the body. */
  body: Buffer;
  rawTrailers: readonly string[];
  /** The whole request has arrived. */
  complete: boolean;
  /** The connection went away before the response was written in full. */
  aborted: boolean;
}

/** An HTTP server that stands for a service and remembers what it was asked. */
export interface Upstream {
  readonly url: string;
  readonly port: number;
  readonly requests: RecordedRequest[];
  /** Connections that are open now. */
  openSockets(): number;
  /** Requests whose response has not ended yet. */
  activeRequests(): number;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

/** Answers a request; `recorded` is what the upstream remembers of it. */
export type UpstreamHandler = (req: IncomingMessage, res: ServerResponse, recorded: RecordedRequest) => void;

/** All values of a field of a recorded request, in the order they came. */
export function fieldValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '');
  }
  return values;
}

/**
 * Starts an upstream on a free port of 127.0.0.1.
 *
 * @param handler answers every request; the canned endpoints (see upstream-endpoints.ts) do by default
 * @param tls serves https with these options
 */
export async function startUpstream(
  handler: UpstreamHandler = cannedEndpoints,
  tls?: SecureServerOptions,
): Promise<Upstream> {
  const requests: RecordedRequest[] = [];
  const sockets = new Map<Socket, number>();
  let connections = 0;
  let active = 0;

  const listener: RequestListener = (req, res) => {
    const recorded = record(req, sockets.get(req.socket) ?? 0);
    requests.push(recorded);
    active += 1;
    res.on('close', () => {
      active -= 1;
      recorded.aborted = !res.writableFinished;
    });
    res.on('error', () => undefined);
    req.on('error', () => undefined);
    handler(req, res, recorded);
  };
  // A test that looks at long heads must see what the gateway let pass, not this server's own limits.
  const limits = {
    maxHeaderSize: 256 * 1024,
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 60_000,
  };
  const server =
    tls === undefined ? createServer(limits, listener) : createSecureServer({ ...limits, ...tls }, listener);
  server.maxHeadersCount = 0;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections += 1;
    sockets.set(socket, connections);
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    openSockets: () => sockets.size,
    activeRequests: () => active,
    close: () => closeAll(server, sockets.keys()),
  };
}

/** A TCP server in the place of an upstream, for what no HTTP server would send. */
export interface RawUpstream {
  readonly url: string;
  readonly port: number;
  openSockets(): number;
  close(): Promise<void>;
}

/** Starts a TCP server on a free port of 127.0.0.1; `onConnection` says what it does with each connection. */
export async function startRawUpstream(onConnection: (socket: Socket) => void): Promise<RawUpstream> {
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    openSockets: () => sockets.size,
    close: () => closeAll(server, sockets),
  };
}

/** Answers each request head on a connection with these bytes (latin1); the argument of {@link startRawUpstream}. */
export function answering(
  bytes: string | (() => string),
  then: 'keep' | 'end' = 'keep',
): (socket: Socket) => void {
  return (socket) => {
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        received = received.slice(end + 4);
        socket.write(typeof bytes === 'string' ? bytes : bytes(), 'latin1');
        if (then === 'end') socket.end();
      }
    });
  };
}

function record(req: IncomingMessage, connection: number): RecordedRequest {
  const recorded: RecordedRequest = {
    method: req.method ?? '',
    url: req.url ?? '',
    httpVersion: req.httpVersion,
    rawHeaders: req.rawHeaders,
    framing:
      req.headers['transfer-encoding'] !== undefined
        ? 'chunked'
        : req.headers['content-length'] !== undefined
          ? 'length'
          : 'none',
    connection,
    bodyLength: 0,
    body: Buffer.alloc(0),
    rawTrailers: [],
    complete: false,
    aborted: false,
  };
  req.on('data', (chunk: Buffer) => {
    recorded.bodyLength += chunk.length;
    if (recorded.body.length < KEPT_BODY) recorded.body = Buffer.concat([recorded.body, chunk]);
  });
  req.on('end', () => {
    recorded.complete = true;
    recorded.rawTrailers = req.rawTrailers;
  });
  return recorded;
}

async function listen(server: ReturnType<typeof createNetServer>): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The upstream has no TCP address');
  return address.port;
}

function closeAll(server: ReturnType<typeof createNetServer>, sockets: Iterable<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}
