import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { createLog } from '../../core/index.js';
import { catalogue } from '../../plugins/index.js';
import { type Scrape, scrape } from '../plugins/metrics-support.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';
import { behind, counted, createHandler, KEY, key, type Line, type Stats } from './consistency-support.js';

/*
 * A run of known requests, of all the kinds that are counted. Afterwards metrics, statistics and access log must tell the
 * same story, to the request.
 */

describe('metrics, statistics and access log', function () {
  this.timeout(20_000);
  let upstream: Upstream;
  let sockets: WebSocketServer;
  let running: RunningGateway;
  let lines: Line[];
  let found: Scrape;
  let stats: Stats;
  let sent = 0;

  /** One request, whose answer must have this status. */
  async function send(expected: number, method: string, path: string, fields: readonly string[] = []) {
    sent++;
    const { status } = await request(running.port, method, path, fields);
    expect(status, `${method} ${path}`).to.equal(expected);
  }

  async function times(count: number, sendOne: () => Promise<void>): Promise<void> {
    for (let i = 0; i < count; i++) await sendOne();
  }

  async function runScript(): Promise<void> {
    await times(5, () => send(200, 'GET', '/api/v1/plain/echo'));
    await times(2, () => send(200, 'POST', '/api/v1/plain/echo'));
    await times(3, () => send(404, 'GET', '/api/v1/plain/status/404'));
    await times(2, () => send(500, 'GET', '/api/v1/plain/status/500'));
    // A miss, then hits.
    await times(4, () => send(200, 'GET', '/api/v1/cached/cacheable'));
    await send(200, 'POST', '/api/v1/cached/echo');
    await times(2, () => send(401, 'GET', '/api/v1/secured/echo'));
    await send(401, 'GET', '/api/v1/secured/echo', ['X-API-Key: wrong-key-0123456789-0123456789-01234']);
    await send(200, 'GET', '/api/v1/secured/echo', [`X-API-Key: ${KEY}`]);
    await times(2, () => send(200, 'GET', '/api/v1/limited/echo'));
    await times(3, () => send(429, 'GET', '/api/v1/limited/echo'));
    await times(2, () => send(503, 'GET', '/api/v1/down/echo'));
    for (const name of ['a', 'b', 'c']) await send(200, 'GET', `/api/v1/retried/flaky?${name}`);
    // Two failures open the circuit, which then refuses.
    await times(2, () => send(500, 'GET', '/api/v1/broken/status/500'));
    await times(3, () => send(503, 'GET', '/api/v1/broken/status/200'));
    await times(2, () => send(404, 'GET', '/nowhere'));
    await send(405, 'POST', '/only-get');
    await send(200, 'PROPFIND', '/api/v1/plain/echo');
    await abort('/api/v1/plain/slow', () => upstream.activeRequests() === 1);
    await abort('/api/v1/plain/stall?bytes=20000', () => upstream.activeRequests() === 1, 'xxxxx');
    sent++;
    const broken = await RawConnection.open(running.port);
    broken.send('GET /api/v1/plain/break HTTP/1.1\r\nHost: a\r\n\r\n');
    await broken.closure();
    await openAndClose();
  }

  /** Leaves when the upstream has the request, and so much of the answer has come. */
  async function abort(path: string, underWay: () => boolean, text = ''): Promise<void> {
    sent++;
    const connection = await RawConnection.open(running.port);
    connection.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until('the request to be under way', underWay);
    if (text !== '') await connection.received(text);
    connection.destroy();
    await until('the upstream to be let go', () => upstream.activeRequests() === 0);
  }

  async function openAndClose(): Promise<void> {
    sent++;
    const socket = new WebSocket(`ws://127.0.0.1:${running.port}/ws/live/echo`);
    await once(socket, 'open');
    socket.send('hello');
    await once(socket, 'message');
    socket.close();
    await once(socket, 'close');
  }

  before(async () => {
    upstream = await startUpstream(createHandler());
    sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
    await once(sockets, 'listening');
    const address = sockets.address();
    const socketPort = typeof address === 'string' || address === null ? 0 : address.port;
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const nobody = closed.address();
    closed.close();
    lines = [];
    const { logger } = createLog({
      level: 'INFO',
      pretty: false,
      write(line) {
        const parsed: Line = JSON.parse(line);
        if (parsed.plugin === 'access-log' && parsed.status !== undefined) lines.push(parsed);
      },
    });
    const url = upstream.url;
    running = await startGateway(
      {
        logging: { level: 'INFO' },
        services: {
          plain: behind(url, []),
          cached: behind(url, ['response-cache']),
          secured: behind(url, ['auth-apikey']),
          limited: behind(url, ['rate-limit-token-bucket']),
          down: behind(`http://127.0.0.1:${typeof nobody === 'string' ? 0 : nobody?.port}`, []),
          retried: behind(url, [], { retries: { on: ['503'], attempts: 2, backoff: { base: '1ms' } } }),
          broken: behind(url, ['circuit-breaker'], { retries: false }),
          live: behind(`http://127.0.0.1:${socketPort}`, []),
        },
        routes: [{ id: 'only-get', match: { path: '/only-get', methods: ['GET'] }, service: 'plain' }],
        plugins: [
          'access-log',
          'metrics',
          { 'auth-apikey': { keys: [{ consumer: 'one', name: 'test', key: KEY }] } },
          { 'rate-limit-token-bucket': { requests: 2, window: '1h' } },
          'response-cache',
          { 'circuit-breaker': { failureThreshold: 2 } },
          'ws-proxy',
        ],
      },
      { catalogue, logger },
    );
    await runScript();
    await until('all requests to be counted', async () => {
      found = await scrape(running.url);
      return found.sum('gateway_requests_total') >= sent;
    });
    const answer = await fetch(`${running.url}/api/v1/gateway/stats`);
    stats = (await answer.json()) as Stats;
    lines = lines.filter(({ path }) => !/^\/(?:metrics|api\/v1\/gateway\/)/.test(String(path)));
    expect(found.sum('gateway_requests_total')).to.equal(sent);
  });

  after(async () => {
    await running?.stop();
    await upstream?.close();
    sockets?.close();
  });

  it('count the same requests, with the same service, route, method, status and code', () => {
    const metric = counted(
      found.matching('gateway_requests_total'),
      ({ labels }) => key(labels),
      ({ value }) => value,
    );
    const known = new Set(['GET', 'POST']);
    const logged = counted(
      lines,
      (line) => key({ ...line, method: known.has(String(line.method)) ? line.method : 'OTHER' }),
      () => 1,
    );
    expect(metric).to.deep.equal(logged);
  });

  it('know how each went', () => {
    const of = (labels: Record<string, string>) => found.sum('gateway_requests_total', labels);
    expect(of({ service: 'plain', status: '499', code: 'CLIENT_CLOSED_REQUEST' })).to.equal(1);
    expect(of({ service: 'plain', status: '200', code: 'CLIENT_CLOSED_REQUEST' })).to.equal(1);
    expect(of({ service: 'plain', status: '200', code: 'BAD_GATEWAY' })).to.equal(1);
    expect(of({ service: 'live', status: '101', code: '' })).to.equal(1);
    expect(of({ service: 'secured', status: '401', code: 'UNAUTHORIZED' })).to.equal(3);
    expect(of({ service: 'limited', status: '429', code: 'RATE_LIMITED' })).to.equal(3);
    expect(of({ service: 'down', status: '503', code: 'SERVICE_UNAVAILABLE' })).to.equal(2);
    expect(of({ service: 'broken', status: '503' })).to.equal(3);
    expect(of({ service: '' })).to.equal(3);
  });

  it('agree on what was successful', () => {
    const successful = found
      .matching('gateway_requests_total', { code: '' })
      .filter(({ labels }) => Number(labels.status) < 400)
      .reduce((sum, { value }) => sum + value, 0);
    const total = found.sum('gateway_requests_total');
    expect(stats.request_stats).to.include({
      total_requests: total,
      successful_requests: successful,
      failed_requests: total - successful,
    });
    const fine = lines.filter(({ status, code }) => Number(status) < 400 && code === undefined);
    expect([lines.length, fine.length]).to.deep.equal([total, successful]);
    for (const [service, tally] of Object.entries(stats.service_stats ?? {})) {
      const own = lines.filter((line) => line.service === service);
      const ownFine = fine.filter((line) => line.service === service);
      expect(tally, service).to.include({
        total_requests: own.length,
        successful_requests: ownFine.length,
        failed_requests: own.length - ownFine.length,
      });
      expect(found.sum('gateway_requests_duration_count', { service }), service).to.equal(own.length);
    }
  });

  it('agree on attempts and retries', () => {
    const attempts = lines.map((line) => Number(line.attempts ?? 0));
    const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
    expect(found.sum('gateway_upstream_attempts_total')).to.equal(sum(attempts));
    expect(found.sum('gateway_retries_total')).to.equal(sum(attempts.map((each) => Math.max(0, each - 1))));
    expect(found.sum('gateway_retries_total', { service: 'retried' })).to.equal(3);
    const asked = found.sum('gateway_upstream_attempts_total', { service: 'broken' });
    expect(asked, 'what an open circuit refuses is asked of nobody').to.equal(2);
  });

  it('agree on what plugins decided', () => {
    const decisions = [
      ['rate_limit', 'gateway_rate_limit_decisions_total', 'decision'],
      ['auth_failure', 'gateway_auth_failures_total', 'reason'],
      ['cache', 'gateway_cache_requests_total', 'result'],
      ['circuit', 'gateway_circuit_breaker_requests_total', 'state'],
    ] as const;
    for (const [decision, name, label] of decisions) {
      const metric = counted(
        found.matching(name),
        ({ labels }) => `${labels.service} ${labels[label]}`,
        ({ value }) => value,
      );
      const logged = counted(
        lines.filter((line) => line[decision] !== undefined),
        (line) => `${line.service} ${line[decision]}`,
        () => 1,
      );
      expect(metric, decision).to.deep.equal(logged);
    }
    expect(found.sum('gateway_auth_failures_total', { reason: 'missing' })).to.equal(2);
    expect(found.sum('gateway_auth_failures_total', { reason: 'invalid' })).to.equal(1);
    expect(found.sum('gateway_cache_hits_total', { service: 'cached' })).to.equal(3);
    expect(stats.request_stats).to.include({
      rate_limited_requests: found.sum('gateway_rate_limit_decisions_total', { decision: 'limited' }),
      cache_hits: found.sum('gateway_cache_hits_total'),
      cache_misses: found.sum('gateway_cache_requests_total', { result: 'MISS' }),
      circuit_breaker_trips: found.sum('gateway_circuit_breaker_trips_total'),
    });
    expect(stats.request_stats).to.include({ rate_limited_requests: 3, circuit_breaker_trips: 1 });
    expect(found.sum('gateway_circuit_breaker_state', { service: 'broken' })).to.equal(2);
    expect(stats.circuit_breaker_stats?.broken).to.include({ state: 'OPEN' });
    expect(stats.cache_stats).to.include({ size: found.sum('gateway_cache_entries') });
  });

  it('has the WebSocket connections in its metrics', () => {
    expect(found.sum('gateway_websocket_connections_opened_total')).to.equal(1);
    expect(found.sum('gateway_websocket_messages_total')).to.equal(2);
  });
});
