import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { catalogue } from '../../plugins/index.js';
import { startWebSocketUpstream, type WebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type Authority, createAuthority } from '../support/certificates.js';
import { launchChromium } from '../support/chromium.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

const PAGE = `<!doctype html><title>test</title><link rel="icon" href="data:,"><script>
function open(url, protocols) {
  const log = [];
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => log.push(['open', socket.protocol, socket.extensions].join(' '));
  socket.onerror = () => log.push('error');
  socket.onmessage = ({ data }) => log.push(typeof data === 'string' ? data : 'binary ' + data.byteLength);
  socket.onclose = ({ code, reason, wasClean }) => log.push(['close', code, reason, wasClean].join(' '));
  Object.assign(window, { socket, log });
}
</script>`;

describe('WebSockets of a browser over HTTP/2', function () {
  this.timeout(30_000);
  let authority: Authority;
  let pages: Server;
  let upstream: WebSocketUpstream;
  let gateway: RunningGateway;
  let browser: Browser;
  let page: Page;

  before(async () => {
    authority = await createAuthority();
    const own = await authority.issue('gateway', ['localhost']);
    pages = createServer((_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE));
    const pagePort = await new Promise<number>((resolve) => {
      pages.listen(0, '127.0.0.1', () => {
        const address = pages.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    upstream = await startWebSocketUpstream(undefined, {
      handleProtocols: (offered) => [...offered].find((each) => each === 'v1') ?? false,
      perMessageDeflate: true,
    });
    gateway = await startGateway(
      {
        tls: own,
        // By which the services learn how a request came.
        via: 'gateway',
        services: {
          pages: service(`http://127.0.0.1:${pagePort}`),
          managed: service(upstream.url, { plugins: { 'ws-proxy': { deflate: { client: true } } } }),
          tunnel: service(upstream.url, { plugins: { 'ws-proxy': { mode: 'tunnel' } } }),
        },
        routes: [{ id: 'page', match: { path: '/' }, service: 'pages' }],
        plugins: [{ 'ws-proxy': { drainGrace: 0 } }],
      },
      { catalogue },
    );
    browser = await launchChromium(['--ignore-certificate-errors']);
  });

  after(async () => {
    await browser?.close();
    await gateway?.stop();
    await upstream?.close();
    pages?.close();
    await authority?.discard();
  });

  beforeEach(async () => {
    upstream.accepted.length = 0;
    page = await browser.newPage();
    await page.goto(`https://localhost:${gateway.port}/`);
    expect(await page.evaluate(`performance.getEntriesByType('navigation')[0].nextHopProtocol`)).to.equal(
      'h2',
    );
  });

  afterEach(() => page.close());

  const open = (path: string, protocols: readonly string[] = []) =>
    page.evaluate(`open('wss://' + location.host + '/ws/${path}', ${JSON.stringify(protocols)})`);

  async function seen(count: number): Promise<unknown> {
    let log: unknown;
    await until(`${count} events in the page`, async () => {
      log = await page.evaluate('log');
      return Array.isArray(log) && log.length >= count;
    });
    return log;
  }

  for (const mode of ['managed', 'tunnel'] as const) {
    it(`a page opens one on the session that it came by, ${mode}`, async () => {
      await open(`${mode}/live?a=1`, ['v2', 'v1']);
      expect(await seen(1)).to.deep.equal(['open v1 permessage-deflate']);
      const [accepted] = upstream.accepted;
      expect(accepted?.req.url).to.equal('/ws/live?a=1');
      expect(accepted?.req.headers.via).to.equal('2.0 gateway');
      expect(accepted?.req.headers.origin).to.equal(`https://localhost:${gateway.port}`);
      await page.evaluate(`socket.send('ü €'); socket.send(new Uint8Array(300000))`);
      expect(await seen(3)).to.deep.equal(['open v1 permessage-deflate', 'ü €', 'binary 300000']);
      await page.evaluate(`socket.close(3001, 'bye')`);
      expect(await accepted?.seen.closed()).to.deep.equal({ code: 3001, reason: 'bye' });
      expect(await seen(4)).to.deep.equal([
        'open v1 permessage-deflate',
        'ü €',
        'binary 300000',
        'close 3001 bye true',
      ]);
    });

    it(`a close of the service reaches the page, ${mode}`, async () => {
      await open(`${mode}/live`);
      await seen(1);
      upstream.accepted[0]?.socket.close(4000, 'maintenance, ü');
      expect(await seen(2)).to.include('close 4000 maintenance, ü true');
    });

    it(`a page that is left is gone for the service, ${mode}`, async () => {
      await open(`${mode}/live`);
      await seen(1);
      await page.goto('about:blank');
      expect((await upstream.accepted[0]?.seen.closed())?.code).to.be.oneOf([1001, 1005, 1006]);
      await until('nothing under way', () => gateway.gateway.services.get(mode)?.targets[0]?.active === 0);
    });
  }

  it('a refusal is an error for the page, and its session goes on', async () => {
    await open('nobody/live');
    expect(await seen(2)).to.deep.equal(['error', 'close 1006  false']);
    await open('managed/live');
    expect(await seen(1)).to.deep.equal(['open  permessage-deflate']);
    expect(upstream.accepted[0]?.req.headers.via).to.equal('2.0 gateway');
  });

  it('a gateway that stops says 1001', async () => {
    await open('managed/live');
    await seen(1);
    await gateway.stop();
    expect(await seen(2)).to.include('close 1001 The gateway is shutting down true');
  });
});
