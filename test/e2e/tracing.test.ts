import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { catalogue } from '../../plugins/index.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { type CollectedSpan, type Collector, startCollector } from '../support/otlp-collector.js';
import { until } from '../support/until.js';
import { fieldValues, startRawUpstream, startUpstream, type Upstream } from '../support/upstream.js';

describe('tracing, end to end', () => {
  let collector: Collector;
  let upstream: Upstream;
  let gateway: RunningGateway | undefined;

  beforeEach(async () => {
    collector = await startCollector();
    upstream = await startUpstream();
  });

  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
    await upstream.close();
    await collector.close();
  });

  const start = async (
    targets: readonly string[],
    service: object = {},
    plugins: readonly unknown[] = [],
  ) => {
    const options = { endpoint: collector.url, sample: 1, interval: '10ms' };
    const started = await startGateway(
      {
        services: { demo: { targets, health: false, ...service } },
        plugins: [{ tracing: options }, ...plugins],
      },
      { catalogue },
    );
    gateway = started;
    return started;
  };

  /** The spans of one trace: the request's, and the attempts' in the order they were made. */
  async function traceOf(id: string, attempts: number) {
    const spans = () => collector.spans.filter(({ traceId }) => traceId === id);
    await until(`${attempts + 1} spans`, () => spans().length === attempts + 1);
    const server = spans().filter(({ kind }) => kind === 'server');
    const clients = spans()
      .filter(({ kind }) => kind === 'client')
      .sort((a, b) => a.start - b.start);
    expect(server).to.have.length(1);
    expect(clients).to.have.length(attempts);
    const [root] = server;
    if (root === undefined) throw new Error('There is no span of the request');
    return { root, clients };
  }

  function expectWithin(outer: CollectedSpan, inner: CollectedSpan): void {
    // The collector keeps microseconds.
    expect(inner.start).to.be.at.least(outer.start - 0.001);
    expect(inner.end).to.be.at.most(outer.end + 0.001);
    expect(inner.end).to.be.at.least(inner.start);
  }

  it('shows a request with one retry as one trace: two attempts below it, and the upstream below the second', async () => {
    const refusing = await startRawUpstream((socket) => socket.destroy());
    await refusing.close();
    const { url } = await start([refusing.url, upstream.url]);
    for (let i = 0; upstream.requests.length < 2; i++) {
      if (i === 10) throw new Error('The second target is never reached');
      await fetch(`${url}/api/v1/demo/echo/${i}`).then((response) => response.text());
    }
    const retried = () =>
      collector.spans.find(
        ({ kind, attributes }) => kind === 'server' && attributes['gateway.attempts'] === 2,
      );
    await until('a request with a retry', () => retried() !== undefined);
    const { root, clients } = await traceOf(retried()?.traceId ?? '', 2);
    const [first, second] = clients;
    if (first === undefined || second === undefined) throw new Error('Attempts are missing');
    expect(root).to.include({ name: 'GET /api/v1/demo/**', parentSpanId: '', failed: false });
    expect(root.attributes).to.include({ 'http.response.status_code': 200, 'gateway.attempts': 2 });
    for (const attempt of clients) {
      expect(attempt.parentSpanId).to.equal(root.spanId);
      expectWithin(root, attempt);
    }
    expect(first.failed).to.equal(true);
    expect(first.attributes).to.include({
      'error.type': 'SERVICE_UNAVAILABLE',
      'server.port': refusing.port,
    });
    expect(first.attributes).not.to.have.any.keys('http.response.status_code', 'http.request.resend_count');
    expect(second.failed).to.equal(false);
    expect(second.attributes).to.include({
      'http.response.status_code': 200,
      'http.request.resend_count': 1,
      'server.port': upstream.port,
    });
    expect(second.start).to.be.at.least(first.end - 0.001);
    expect(new Set([root, first, second].map(({ spanId }) => spanId)).size).to.equal(3);
    const asked = upstream.requests.flatMap(({ rawHeaders }) => fieldValues(rawHeaders, 'traceparent'));
    expect(asked).to.include(`00-${root.traceId}-${second.spanId}-01`);
    expect(asked.join()).not.to.contain(first.spanId);
  });

  it('shows an upgrade, its attempt below it', async () => {
    let asked: string | undefined;
    const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    sockets.on('connection', (_socket, req) => {
      asked = String(req.headers.traceparent);
    });
    try {
      await once(sockets, 'listening');
      const address = sockets.address();
      if (address === null || typeof address === 'string') throw new Error('The server has no TCP address');
      const { port } = await start([`http://127.0.0.1:${address.port}`], {}, ['ws-proxy']);
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/demo/live`);
      await once(socket, 'open');
      // While the connection is open: it may be so for days.
      await until('the spans', () => collector.spans.length === 2);
      const { root, clients } = await traceOf(collector.spans[0]?.traceId ?? '', 1);
      expect(root.attributes).to.include({ 'http.response.status_code': 101, 'url.path': '/ws/demo/live' });
      expect(clients[0]).to.include({ parentSpanId: root.spanId, failed: false });
      expect(clients[0]?.attributes).to.include({ 'http.response.status_code': 101 });
      expect(asked).to.equal(`00-${root.traceId}-${clients[0]?.spanId}-01`);
      socket.terminate();
    } finally {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    }
  });

  it('shows an upgrade that is refused', async () => {
    const { port } = await start([upstream.url]);
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET /ws/demo/live HTTP/1.1\r\nHost: demo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await until('the span', () => collector.spans.length === 1);
    socket.destroy();
    expect(collector.spans[0]).to.include({ kind: 'server' });
    expect(collector.spans[0]?.attributes['http.response.status_code']).to.be.within(400, 501);
  });
});
