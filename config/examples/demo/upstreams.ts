import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Koa from 'koa';
import websockify from 'koa-websocket';
import type { WebSocket } from 'ws';

/** Where the sample services listen on 127.0.0.1; 0 for any free port. */
export interface DemoPorts {
  readonly marketData?: number;
  readonly dataStorage?: number;
}

/** The sample services at work. */
export interface DemoUpstreams {
  /** Origin of market-data-collector. */
  readonly marketDataUrl: string;
  /** Origin of data-storage-service. */
  readonly dataStorageUrl: string;
  close(): Promise<void>;
}

/**
 * Starts the two services that `npm run demo` puts behind the gateway:
 *
 * - market-data-collector: `GET /api/v1/status`, `GET /api/v1/quotes/:symbol`, server-sent events at
 *   `/api/v1/stream`, a WebSocket at `/ws/live`;
 * - data-storage-service: `GET` and `POST /api/v1/data/trades`.
 *
 * Both answer `GET /health`. Rejects when a port is taken.
 */
export async function startDemoUpstreams(ports: DemoPorts = {}): Promise<DemoUpstreams> {
  const marketData = await startMarketData(ports.marketData ?? 8081);
  try {
    const dataStorage = await startDataStorage(ports.dataStorage ?? 8082);
    return {
      marketDataUrl: marketData.url,
      dataStorageUrl: dataStorage.url,
      close: async () => {
        await Promise.all([marketData.close(), dataStorage.close()]);
      },
    };
  } catch (error) {
    await marketData.close();
    throw error;
  }
}

interface RunningService {
  readonly url: string;
  close(): Promise<void>;
}

/** A Koa application with a WebSocket beside, as many services have it. */
async function startMarketData(port: number): Promise<RunningService> {
  const startedAt = Date.now();
  const app = websockify(new Koa(), { maxPayload: 1024 * 1024 });
  app.use((ctx) => {
    const { path } = ctx;
    const symbol = /^\/api\/v1\/quotes\/([A-Za-z0-9.-]{1,20})$/.exec(path)?.[1];
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') answer(ctx, 405, { error: 'Only GET here' });
    else if (path === '/health') answer(ctx, 200, { status: 'healthy' });
    else if (path === '/api/v1/status') {
      answer(ctx, 200, {
        service: 'market-data-collector',
        status: 'running',
        uptime: Math.floor((Date.now() - startedAt) / 1000),
      });
    } else if (symbol !== undefined) answer(ctx, 200, quote(symbol.toUpperCase()));
    else if (path === '/api/v1/stream') {
      ctx.respond = false;
      streamQuotes(ctx.res);
    } else answer(ctx, 404, { error: 'Not found' });
  });
  app.ws.use(({ path, websocket }) => {
    if (path === '/ws/live') serveQuotes(websocket);
    else websocket.close(1008, 'Not found');
  });
  return opened((onListening) => app.listen(port, '127.0.0.1', onListening));
}

function answer(ctx: { status: number; body: unknown }, status: number, body: object): void {
  ctx.status = status;
  ctx.body = body;
}

/** A quote at once and then one a second; whatever the client says comes back as `{ echo }`. */
function serveQuotes(client: WebSocket): void {
  const send = () => client.send(JSON.stringify(quote('BTC-USD')));
  send();
  const timer = setInterval(send, 1000);
  client.on('message', (data) => client.send(JSON.stringify({ echo: data.toString() })));
  client.on('close', () => clearInterval(timer));
  client.on('error', () => client.terminate());
}

function streamQuotes(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  let id = 0;
  const send = () => {
    id += 1;
    res.write(`id: ${id}\nevent: quote\ndata: ${JSON.stringify(quote('BTC-USD'))}\n\n`);
  };
  send();
  const timer = setInterval(send, 1000);
  res.on('close', () => clearInterval(timer));
}

function quote(symbol: string): object {
  return {
    symbol,
    price: Math.round(10_000 + Math.random() * 100_000) / 100,
    timestamp: new Date().toISOString(),
  };
}

interface Trade {
  readonly id: number;
  readonly symbol: string;
  readonly price: number;
  readonly quantity: number;
}

/** Older trades are forgotten, so that the demo does not grow for ever. */
const MOST_TRADES = 1000;
const LARGEST_TRADE = 64 * 1024;

async function startDataStorage(port: number): Promise<RunningService> {
  const trades: Trade[] = [{ id: 1, symbol: 'BTC-USD', price: 42_000.5, quantity: 0.25 }];
  let nextId = 2;
  const server = createServer(async (req, res) => {
    const path = pathOf(req);
    if (path === '/health') sendJson(res, 200, { status: 'healthy' });
    else if (path !== '/api/v1/data/trades') sendJson(res, 404, { error: 'Not found' });
    else if (req.method === 'GET' || req.method === 'HEAD')
      sendJson(res, 200, { trades, total: trades.length });
    else if (req.method === 'POST') {
      const trade = parseTrade(await readBody(req, LARGEST_TRADE));
      if (trade === undefined) {
        sendJson(res, 400, { error: 'Expected {"symbol": text, "price": number, "quantity": number}' });
        return;
      }
      const stored = { id: nextId, ...trade };
      nextId += 1;
      trades.push(stored);
      if (trades.length > MOST_TRADES) trades.shift();
      sendJson(res, 201, stored);
    } else sendJson(res, 405, { error: 'Only GET and POST here' });
  });
  return opened((onListening) => server.listen(port, '127.0.0.1', onListening));
}

/** The text of a body, or undefined when it is too large or breaks off. */
async function readBody(req: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of req) {
      if (!Buffer.isBuffer(chunk)) return undefined;
      length += chunk.length;
      if (length > limit) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseTrade(text: string | undefined): Omit<Trade, 'id'> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { symbol, price, quantity } = { symbol: undefined, price: undefined, quantity: undefined, ...value };
  if (typeof symbol !== 'string' || typeof price !== 'number' || typeof quantity !== 'number')
    return undefined;
  return { symbol, price, quantity };
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?', 1)[0] ?? '/';
}

function sendJson(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

/** Waits until a server listens; `listen` begins to. */
async function opened(listen: (onListening: () => void) => Server): Promise<RunningService> {
  const sockets = new Set<Socket>();
  const server = await new Promise<Server>((resolve, reject) => {
    const begun = listen(() => resolve(begun));
    begun.once('error', reject);
    begun.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The demo needs a TCP address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Open WebSockets and event streams would keep the server up.
        for (const socket of sockets) socket.destroy();
      }),
  };
}
