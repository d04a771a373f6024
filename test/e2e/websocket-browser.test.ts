import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import type { Browser, Page } from 'playwright-core';
import { catalogue } from '../../plugins/index.js';
import {
  type Accepted,
  echo,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from '../plugins/ws-proxy/sockets.js';
import { launchChromium } from '../support/chromium.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

/** The requirements' snippet, as it stands there; Chromium is told where `localhost:8080` is. */
const SNIPPET = `
const ws = new WebSocket('ws://localhost:8080/ws/market-data-collector/live');

ws.onopen = function() {
  console.log('Connected to market data service');
};

ws.onmessage = function(event) {
  const data = JSON.parse(event.data);
  console.log('Received:', data);
};
`;

/** What a page sees of its WebSocket: `opened` before the first close or error, everything in `log`. */
const PAGE = `<!doctype html><title>test</title><link rel="icon" href="data:,"><script>
function open(url, protocols) {
  const seen = { log: [] };
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => seen.log.push('open ' + socket.protocol);
  socket.onerror = () => seen.log.push('error');
  socket.onmessage = ({ data }) =>
    seen.log.push(typeof data === 'string' ? 'text ' + data : 'binary ' + new Uint8Array(data).join(','));
  socket.onclose = ({ code, reason, wasClean }) => seen.log.push(['close', code, reason, wasClean].join(' '));
  return Object.assign(window, { socket, seen });
}
</script>`;

const SECRET = 'a-secret-of-32-bytes-for-this-test-only';
const token = () => jwt.sign({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60 }, SECRET);

describe('WebSockets of a browser', function () {
  this.timeout(20_000);
  let browser: Browser;
  let pages: Server;
  let pagePort: number;
  let upstream: WebSocketUpstream;
  let greeting: ((accepted: Accepted) => void) | undefined;
  let gateway: RunningGateway;
  let page: Page;

  before(async () => {
    pages = createServer((_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE));
    pagePort = await new Promise<number>((resolve) => {
      pages.listen(0, '127.0.0.1', () => {
        const address = pages.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    upstream = await startWebSocketUpstream(
      (accepted) => {
        greeting?.(accepted);
        echo(accepted);
      },
      { handleProtocols: (offered) => [...offered][0] ?? false },
    );
    const open = { 'auth-jwt': false };
    const tunnel = { ...open, 'ws-proxy': { mode: 'tunnel' } };
    const target = (plugins: object) => service(upstream.url, { plugins });
    gateway = await startGateway(
      {
        services: {
          'market-data-collector': target(open),
          'tunnel-open': target(tunnel),
          'managed-open': target(open),
          'tunnel-guarded': target({ 'ws-proxy': { mode: 'tunnel' } }),
          'managed-guarded': target({}),
          'tunnel-own-pages': target({ ...open, 'ws-proxy': { mode: 'tunnel', origins: [origin()] } }),
          'managed-own-pages': target({ ...open, 'ws-proxy': { origins: [origin()] } }),
        },
        plugins: [
          { 'auth-jwt': { secret: SECRET, query: 'access_token', subprotocol: 'bearer.' } },
          { 'ws-proxy': {} },
        ],
      },
      { catalogue },
    );
    browser = await launchChromium([`--host-resolver-rules=MAP localhost:8080 127.0.0.1:${gateway.port}`]);
    page = await browser.newPage();
  });

  after(async () => {
    await browser?.close();
    await gateway?.stop();
    await upstream?.close();
    pages?.closeAllConnections();
    pages?.close();
  });

  beforeEach(async () => {
    greeting = undefined;
    upstream.accepted.length = 0;
    await page.goto(origin());
  });

  afterEach(async () => {
    // One page for all tests: leaving it ends its connections.
    await page.goto('about:blank');
    page.removeAllListeners('console');
    await until('no connection open', () => upstream.accepted.every(({ seen }) => seen.close !== undefined));
  });

  const origin = () => `http://127.0.0.1:${pagePort}`;

  /** Opens `socket` in the page, through the gateway. */
  const open = (path: string, protocols: readonly string[] = []) => {
    const url = `${gateway.url.replace('http', 'ws')}/ws/${path}`;
    return page.evaluate(`void open(${JSON.stringify(url)}, ${JSON.stringify(protocols)})`);
  };

  /** What the page has seen, once that many things have happened to it. */
  async function seen(count: number): Promise<unknown> {
    let log: unknown;
    await until(`${count} events in the page`, async () => {
      log = await page.evaluate('seen.log');
      return Array.isArray(log) && log.length >= count;
    });
    return log;
  }

  it('the requirements’ snippet connects, receives and sends, as it is written', async () => {
    const printed: unknown[][] = [];
    page.on('console', async (message) => {
      printed.push(await Promise.all(message.args().map((each) => each.jsonValue())));
    });
    greeting = ({ socket }) => socket.send('{"symbol":"BTC-USDT","price":1.5}');
    await page.addScriptTag({ content: SNIPPET });
    await until('what the snippet prints', () => printed.length === 2);
    expect(printed).to.deep.equal([
      ['Connected to market data service'],
      ['Received:', { symbol: 'BTC-USDT', price: 1.5 }],
    ]);
    expect(upstream.accepted[0]?.req.url).to.equal('/ws/live');
    await page.evaluate(`ws.send('{"subscribe":"trades"}')`);
    await until('the echo', () => printed.length === 3);
    expect(printed[2]).to.deep.equal(['Received:', { subscribe: 'trades' }]);
    expect(upstream.accepted[0]?.seen.texts).to.deep.equal(['{"subscribe":"trades"}']);
  });

  for (const mode of ['managed', 'tunnel'] as const) {
    describe(mode, () => {
      it('text and binary messages go both ways', async () => {
        await open(`${mode}-open/live`);
        expect(await seen(1)).to.deep.equal(['open ']);
        await page.evaluate(`socket.send('ü €'); socket.send(new Uint8Array([0, 255, 128]))`);
        expect(await seen(3)).to.deep.equal(['open ', 'text ü €', 'binary 0,255,128']);
      });

      it('the page sees the service’s close code and reason', async () => {
        await open(`${mode}-open/live`);
        await seen(1);
        upstream.accepted[0]?.socket.close(4000, 'maintenance, ü');
        expect(await seen(2)).to.deep.equal(['open ', 'close 4000 maintenance, ü true']);
      });

      it('the service sees the page’s close code and reason, and so does the page', async () => {
        await open(`${mode}-open/live`);
        await seen(1);
        await page.evaluate(`socket.close(3001, 'bye')`);
        expect(await upstream.accepted[0]?.seen.closed()).to.deep.equal({ code: 3001, reason: 'bye' });
        expect(await seen(2)).to.deep.equal(['open ', 'close 3001 bye true']);
      });

      it('a page that is left is gone for the service', async () => {
        await open(`${mode}-open/live`);
        await seen(1);
        await page.goto('about:blank');
        expect((await upstream.accepted[0]?.seen.closed())?.code).to.be.oneOf([1001, 1005, 1006]);
      });

      it('without a token the page gets no connection, and the service hears of none', async () => {
        await open(`${mode}-guarded/live`);
        expect(await seen(2)).to.deep.equal(['error', 'close 1006  false']);
        expect(upstream.accepted).to.deep.equal([]);
      });

      it('a token in the query opens it, and does not reach the service', async () => {
        await open(`${mode}-guarded/live?a=1&access_token=${token()}`);
        expect(await seen(1)).to.deep.equal(['open ']);
        expect(upstream.accepted[0]?.req.url).to.equal('/ws/live?a=1');
        expect(upstream.accepted[0]?.req.headers['x-consumer-id']).to.equal('alice');
      });

      it('a token beside a subprotocol opens it, and does not reach the service', async () => {
        await open(`${mode}-guarded/live`, [`bearer.${token()}`, 'v1']);
        expect(await seen(1)).to.deep.equal(['open v1']);
        expect(upstream.accepted[0]?.req.headers['sec-websocket-protocol']).to.equal('v1');
        expect(upstream.accepted[0]?.req.headers['x-consumer-id']).to.equal('alice');
      });

      // Chromium drops a connection whose 101 chooses none of the subprotocols that the page offered.
      it('a token as the only subprotocol opens it', async () => {
        await open(`${mode}-guarded/live`, [`bearer.${token()}`]);
        await until('a connection or a refusal', async () => (await page.evaluate('seen.log.length')) !== 0);
        expect(String(await page.evaluate('seen.log[0]'))).to.match(/^open /);
        expect(upstream.accepted[0]?.req.headers['sec-websocket-protocol']).to.equal(undefined);
      });

      it('only pages of a listed origin get a connection', async () => {
        await open(`${mode}-own-pages/live`);
        expect(await seen(1)).to.deep.equal(['open ']);
        await page.goto(`http://localhost:${pagePort}`);
        await open(`${mode}-own-pages/live`);
        expect(await seen(2)).to.deep.equal(['error', 'close 1006  false']);
        expect(upstream.accepted).to.have.length(1);
      });
    });
  }

  it('when the gateway stops, the page sees 1001', async () => {
    const other = await startGateway(
      { services: { a: service(upstream.url) }, plugins: [{ 'ws-proxy': { drainGrace: 0 } }] },
      { catalogue },
    );
    try {
      await page.evaluate(`void open('${other.url.replace('http', 'ws')}/ws/a/live')`);
      await seen(1);
    } finally {
      await other.stop();
    }
    expect(await seen(2)).to.deep.equal(['open ', 'close 1001 The gateway is shutting down true']);
  });
});
