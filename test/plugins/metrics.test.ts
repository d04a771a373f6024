import { expect } from 'chai';
import { Type } from 'typebox';
import { type AttemptWrapper, definePlugin, GatewayError, type GatewayMiddleware } from '../../core/index.js';
import metrics from '../../plugins/metrics/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { RawConnection } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { deciding, promtool, scrape, scrapeAfter } from './metrics-support.js';

describe('metrics', () => {
  it('has the metrics that the requirements name', async () => {
    const kit = await runPlugin(metrics);
    const { types } = await scrape(kit.url);
    expect(types.get('gateway_requests_total')).to.equal('counter');
    expect(types.get('gateway_requests_duration')).to.equal('histogram');
    expect(types.get('gateway_cache_hits_total')).to.equal('counter');
    expect(types.get('gateway_circuit_breaker_state')).to.equal('gauge');
  });

  it('counts requests by service, route, method, status and code', async () => {
    const kit = await runPlugin(
      metrics,
      {},
      {
        settings: {
          routes: [{ id: 'short', match: { path: '/short' }, service: 'demo', rewrite: '/api/v1/echo' }],
        },
      },
    );
    const { agent } = kit;
    await agent.get('/api/v1/demo/echo').expect(200);
    await agent.get('/api/v1/demo/echo').expect(200);
    await agent.post('/api/v1/demo/status/503').expect(503);
    await agent.get('/short').expect(200);
    await agent.get('/nowhere').expect(404);
    await agent.get('/api/v1/gateway/status').expect(200);
    await agent.get('/api/v1/gateway/nothing').expect(404);
    await agent.get('/health').expect(200);
    const { samples } = await scrapeAfter(kit, 5);
    const counted = samples.filter(({ name }) => name === 'gateway_requests_total');
    expect(counted.map(({ labels, value }) => [...Object.values(labels), value])).to.have.deep.members([
      ['demo', 'demo', 'GET', '200', '', 2],
      ['demo', 'demo', 'POST', '503', '', 1],
      ['demo', 'short', 'GET', '200', '', 1],
      ['', '', 'GET', '404', 'ROUTE_NOT_FOUND', 1],
    ]);
  });

  it('has as many durations as requests, in the configured buckets', async () => {
    const kit = await runPlugin(metrics, { buckets: { requests: [0.5, 0.1], upstream: [2] } });
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    const slow = kit.agent.get('/api/v1/demo/slow?ms=100').expect(200).then();
    await until('the slow request to be under way', () => kit.upstream.requests.length === 2);
    kit.clock.tick(300);
    await slow;
    const found = await scrapeAfter(kit, 2);
    const bucket = (le: string) => found.sum('gateway_requests_duration_bucket', { service: 'demo', le });
    expect([bucket('0.1'), bucket('0.5'), bucket('+Inf')]).to.deep.equal([1, 2, 2]);
    expect(found.sum('gateway_requests_duration_count', { service: 'demo' })).to.equal(2);
    expect(found.sum('gateway_requests_duration_sum', { service: 'demo' })).to.equal(0.3);
    expect(found.sum('gateway_upstream_duration_seconds_count', { service: 'demo' })).to.equal(2);
    expect(found.sum('gateway_upstream_duration_seconds_sum', { service: 'demo' })).to.equal(0.3);
    expect(
      found.matching('gateway_upstream_duration_seconds_bucket').map(({ labels }) => labels.le),
    ).to.deep.equal(['2', '+Inf']);
  });

  it('counts every byte that passed between client and gateway', async () => {
    const kit = await runPlugin(metrics);
    const connection = await RawConnection.open(kit.port);
    const one =
      'POST /api/v1/demo/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    const own = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
    const two = 'GET /api/v1/demo/large?bytes=100000 HTTP/1.1\r\nHost: a\r\n\r\n';
    connection.send(one);
    await connection.responses(1);
    const before = connection.result.bytes.length;
    connection.send(own);
    const afterOwn = (await connection.responses(2)).bytes.length;
    connection.send(two);
    const { bytes } = await connection.responses(3);
    connection.destroy();
    const found = await scrapeAfter(kit, 2);
    expect(found.sum('gateway_received_bytes_total', { service: 'demo' })).to.equal(one.length + two.length);
    expect(found.sum('gateway_sent_bytes_total', { service: 'demo' })).to.equal(
      bytes.length - (afterOwn - before),
    );
  });

  it('counts attempts and retries', async () => {
    const twice = definePlugin({
      name: 'twice',
      summary: 'Counts each attempt twice.',
      options: Type.Object({}),
      plugin: class {
        attempt(): AttemptWrapper {
          return (attempt, next) => {
            attempt.exchange.attempts++;
            return next();
          };
        }
      },
    });
    const kit = await runPlugin(metrics, {}, { after: [{ definition: twice }] });
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    const found = await scrapeAfter(kit, 1);
    expect(found.sum('gateway_upstream_attempts_total', { service: 'demo' })).to.equal(2);
    expect(found.sum('gateway_retries_total', { service: 'demo' })).to.equal(1);
  });

  it('counts what plugins decided', async () => {
    const kit = await runPlugin(metrics, {}, { after: [{ definition: deciding }] });
    const decide = (key: string, value: string) =>
      kit.agent.get('/api/v1/demo/echo').set(`x-decide-${key}`, value).expect(200);
    for (const value of ['HIT', 'STALE', 'REVALIDATED', 'MISS', 'BYPASS']) await decide('cache', value);
    await decide('rate-limit', 'allowed');
    await decide('auth-failure', 'expired');
    await decide('circuit', 'half-open');
    await decide('nobody-knows', 'something-else');
    const found = await scrapeAfter(kit, 9);
    expect(found.sum('gateway_cache_hits_total', { service: 'demo' })).to.equal(3);
    expect(found.sum('gateway_cache_requests_total', { service: 'demo' })).to.equal(5);
    expect(found.sum('gateway_cache_requests_total', { result: 'MISS' })).to.equal(1);
    expect(found.sum('gateway_rate_limit_decisions_total', { decision: 'allowed' })).to.equal(1);
    expect(found.sum('gateway_auth_failures_total', { reason: 'expired' })).to.equal(1);
    expect(found.sum('gateway_circuit_breaker_requests_total', { state: 'half-open' })).to.equal(1);
    expect(found.text).not.to.include('something-else');
  });

  it('shows what is under way, and how the targets and pools are', async () => {
    const kit = await runPlugin(metrics, {}, { service: { pool: { connections: 1 } } });
    const first = kit.agent.get('/api/v1/demo/slow?ms=200').expect(200).then();
    await until('the first request to be under way', () => kit.upstream.requests.length === 1);
    const second = kit.agent.get('/api/v1/demo/echo').expect(200).then();
    const labels = { service: 'demo', target: kit.upstream.url };
    let found = await scrape(kit.url);
    await until('the second request to wait', async () => {
      found = await scrape(kit.url);
      return found.sum('gateway_pool_queued_requests', labels) === 1;
    });
    expect(found.sum('gateway_requests_in_flight', labels)).to.equal(2);
    expect(found.sum('gateway_pool_connections', labels)).to.equal(1);
    expect(found.sum('gateway_pool_idle_connections', labels)).to.equal(0);
    expect(found.sum('gateway_target_healthy', labels)).to.equal(1);
    expect(found.sum('gateway_services')).to.equal(1);
    await Promise.all([first, second]);
    found = await scrapeAfter(kit, 2);
    expect(found.sum('gateway_requests_in_flight', labels)).to.equal(0);
    expect(found.sum('gateway_pool_idle_connections', labels)).to.equal(1);
  });

  it('shows limits of concurrency where there are some, adaptive ones too', async () => {
    const adaptive = await runPlugin(metrics, {}, { service: { concurrency: { adaptive: { initial: 7 } } } });
    let found = await scrape(adaptive.url);
    expect(found.sum('gateway_target_concurrency_limit', { target: adaptive.upstream.url })).to.equal(7);
    expect(found.matching('gateway_concurrency_limit')).to.deep.equal([]);
    const fixed = await runPlugin(metrics, {}, { service: { concurrency: { limit: 9 } } });
    found = await scrape(fixed.url);
    expect(found.sum('gateway_concurrency_limit', { service: 'demo' })).to.equal(9);
    expect(found.matching('gateway_target_concurrency_limit')).to.deep.equal([]);
  });

  it('is answered in OpenMetrics, with exemplars, to those who ask for it', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const kit = await runPlugin(metrics, {}, { after: [{ definition: deciding }] });
    const asking = kit.agent.get('/api/v1/demo/echo');
    await asking.set('x-decide-trace-id', traceId).expect(200);
    const plain = await scrapeAfter(kit, 1);
    expect(plain.contentType).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect(plain.text).not.to.include(traceId);
    const found = await scrape(kit.url, { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(found.contentType).to.equal('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(found.text.endsWith('\n# EOF\n')).to.equal(true);
    expect(found.types.get('gateway_requests')).to.equal('counter');
    expect(found.sum('gateway_requests_total')).to.equal(1);
    const line = found.text.split('\n').find((each) => each.includes(traceId));
    expect(line).to.equal(
      `gateway_requests_duration_bucket{service="demo",route="demo",method="GET",le="0.005"} 1 ` +
        `# {trace_id="${traceId}"} 0 ${kit.clock.now() / 1000}`,
    );
  });

  it('has no exemplar of a trace that is not recorded', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const telling = definePlugin({
      name: 'telling',
      summary: 'Tells the upstream of a trace.',
      options: Type.Object({}),
      plugin: class {
        middleware(): GatewayMiddleware {
          return (ctx, next) => {
            const flags = ctx.get('x-flags');
            ctx.gateway.setUpstreamHeader('traceparent', `00-${traceId}-b7ad6b7169203331-${flags}`);
            return next();
          };
        }
      },
    });
    const kit = await runPlugin(metrics, {}, { after: [{ definition: deciding }, { definition: telling }] });
    const send = (flags: string) =>
      kit.agent.get('/api/v1/demo/echo').set('x-decide-trace-id', traceId).set('x-flags', flags).expect(200);
    const exemplars = async () => {
      const { text } = await scrape(kit.url, { accept: 'application/openmetrics-text' });
      return text.split(traceId).length - 1;
    };
    await send('00');
    await scrapeAfter(kit, 1);
    expect(await exemplars()).to.equal(0);
    await send('01');
    await scrapeAfter(kit, 2);
    expect(await exemplars()).to.equal(1);
  });

  it('passes promtool without a finding', async () => {
    const kit = await runPlugin(metrics, {}, { after: [{ definition: deciding }] });
    await kit.agent.get('/api/v1/demo/echo').set('x-decide-cache', 'HIT').expect(200);
    const { text } = await scrapeAfter(kit, 1);
    expect(await promtool(['check', 'metrics'], text)).to.deep.equal({ code: 0, output: '' });
  });

  it('is for everybody, for administrators, or for holders of the token', async () => {
    const forAdmins = await runPlugin(metrics, { access: 'admin' });
    await forAdmins.agent.get('/metrics').expect(404);
    await forAdmins.agent.get('/api/v1/gateway/metrics').expect(200, /gateway_requests_total/);
    await forAdmins.agent.get('/api/v1/gateway/metrics').set('x-forwarded-for', '192.0.2.1').expect(401);
    const token = 'scrape-me-0123456789';
    const forHolders = await runPlugin(metrics, { token, path: '/-/metrics' });
    await forHolders.agent.get('/metrics').expect(404);
    await forHolders.agent.get('/-/metrics').expect(401).expect('www-authenticate', 'Bearer realm="metrics"');
    await forHolders.agent.get('/-/metrics').set('authorization', 'Bearer wrong').expect(401);
    await forHolders.agent.get('/-/metrics').set('authorization', `Bearer ${token}`).expect(200);
    await forHolders.agent.head('/-/metrics').set('authorization', `bearer ${token}`).expect(200);
    const everybody = await runPlugin(metrics);
    await everybody.agent.get('/metrics').set('x-forwarded-for', '192.0.2.1').expect(200);
    await everybody.agent.post('/metrics').expect(405);
  });

  it('counts a client that left as 499, and a broken body by whose fault it was', async () => {
    const kit = await runPlugin(metrics);
    const leaving = await RawConnection.open(kit.port);
    leaving.send('GET /api/v1/demo/slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the request to be under way', () => kit.upstream.requests.length === 1);
    leaving.destroy();
    const broken = await RawConnection.open(kit.port);
    broken.send('GET /api/v1/demo/break HTTP/1.1\r\nHost: a\r\n\r\n');
    await broken.closure();
    const found = await scrapeAfter(kit, 2);
    const labels = { service: 'demo', method: 'GET' };
    expect(
      found.sum('gateway_requests_total', { ...labels, status: '499', code: 'CLIENT_CLOSED_REQUEST' }),
    ).to.equal(1);
    expect(found.sum('gateway_requests_total', { ...labels, status: '200', code: 'BAD_GATEWAY' })).to.equal(
      1,
    );
  });

  it('counts what a plugin refused, with its code and without attempts', async () => {
    const refusing = definePlugin({
      name: 'refusing',
      summary: 'Refuses.',
      options: Type.Object({}),
      plugin: class {
        middleware(): GatewayMiddleware {
          return () => {
            throw new GatewayError('FORBIDDEN');
          };
        }
      },
    });
    const kit = await runPlugin(metrics, {}, { after: [{ definition: refusing }] });
    await kit.agent.get('/api/v1/demo/echo').expect(403);
    const found = await scrapeAfter(kit, 1);
    expect(found.sum('gateway_requests_total', { status: '403', code: 'FORBIDDEN' })).to.equal(1);
    expect(found.sum('gateway_upstream_attempts_total')).to.equal(0);
  });
});
