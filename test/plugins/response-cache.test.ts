import { expect } from 'chai';
import responseCache from '../../plugins/response-cache/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { runCache } from './response-cache/kit.js';

describe('response-cache', () => {
  it('stores the response to a GET for 300 seconds, as the requirements say', async () => {
    const { agent, asked, clock } = await runCache();
    const first = await agent.get('/api/v1/demo/a?x=1').expect(200).expect('X-Cache-Status', 'MISS');
    expect(first.headers).to.include({
      'x-cache-ttl': '300',
      'cache-status': 'gateway; fwd=uri-miss; fwd-status=200; stored; ttl=300',
    });
    clock.tick(10_000);
    const second = await agent.get('/api/v1/demo/a?x=1').expect(200).expect('X-Cache-Status', 'HIT');
    expect(second.text).to.equal(first.text);
    expect(second.headers).to.include({
      age: '10',
      'x-cache-ttl': '290',
      'cache-status': 'gateway; hit; ttl=290',
      'x-gateway-service': 'demo',
      'content-length': '8',
    });
    expect(second.headers['x-request-id']).not.to.equal(first.headers['x-request-id']);
    expect(second.headers['x-gateway-timestamp']).to.equal(new Date(clock.now()).toISOString());
    expect(second.headers).not.to.have.property('content-type');
    clock.tick(290_000);
    await agent.get('/api/v1/demo/a?x=1').expect('X-Cache-Status', 'MISS');
    expect(asked()).to.equal(2);
  });

  it('tells URLs apart by their path and query', async () => {
    const { agent, asked } = await runCache();
    for (const path of ['a', 'b', 'a?x=1', 'a?x=2'])
      await agent.get(`/api/v1/demo/${path}`).expect('X-Cache-Status', 'MISS');
    expect(asked()).to.equal(4);
  });

  it('stores only 200 unless it is told otherwise', async () => {
    const headers = { 'Cache-Control': 'max-age=60' };
    const strict = await runCache({ status: 404, headers });
    await strict.agent.get('/api/v1/demo/a').expect(404);
    await strict.agent.get('/api/v1/demo/a').expect(404).expect('X-Cache-Status', 'MISS');
    const lenient = await runCache({ status: 404, headers }, { statuses: [] });
    await lenient.agent.get('/api/v1/demo/a').expect(404);
    await lenient.agent.get('/api/v1/demo/a').expect(404).expect('X-Cache-Status', 'HIT');
  });

  it('is off where ttl is 0', async () => {
    const { agent } = await runCache({}, { ttl: 0 });
    await agent.get('/api/v1/demo/a').expect(200);
    const { headers } = await agent.get('/api/v1/demo/a').expect(200);
    expect(headers).not.to.have.property('x-cache-status');
  });

  it('takes overrides of a service, which shares the store', async () => {
    const { agent, clock } = await runCache(
      {},
      {},
      { service: { plugins: { 'response-cache': { ttl: '5s' } } } },
    );
    await agent.get('/api/v1/demo/a').expect('X-Cache-TTL', '5');
    clock.tick(5000);
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
    await agent
      .get('/api/v1/gateway/cache')
      .expect(200)
      .expect(/"size":1/);
  });

  it('lets ttl win with override, but stores nothing that must not be stored', async () => {
    const control = { value: 'max-age=1' };
    const { agent } = await runCache(() => ({ headers: { 'Cache-Control': control.value } }), {
      override: true,
    });
    await agent.get('/api/v1/demo/a').expect('X-Cache-TTL', '300');
    control.value = 'no-store, max-age=100';
    await agent.get('/api/v1/demo/b');
    await agent.get('/api/v1/demo/b').expect('X-Cache-Status', 'MISS');
  });

  it('reports its counts in the requirements’ shape', async () => {
    const { agent } = await runCache();
    await agent.get('/api/v1/demo/a');
    for (let i = 0; i < 3; i++) await agent.get('/api/v1/demo/a');
    const stats = await agent.get('/api/v1/gateway/stats').expect(200);
    expect(stats.body).to.deep.include({ cache_stats: { size: 1, hit_rate: 0.75 } });
    expect(stats.body.request_stats).to.include({ cache_hits: 3, cache_misses: 1 });
    const status = await agent.get('/api/v1/gateway/status').expect(200);
    expect(status.body.cache_size).to.equal(1);
    expect(status.body.config.cache_ttl).to.equal(300);
  });

  it('keeps what is stored over a reload, unless its options change', async () => {
    const { agent, gateway, configuration } = await runCache({}, { ttl: '60s' });
    await agent.get('/api/v1/demo/a');
    await gateway.reload(configuration({ ttl: '60s' }));
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'HIT');
    await gateway.reload(configuration({ ttl: '30s' }));
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
  });

  it('shares responses between the targets of a service', async () => {
    const other = await runCache({ body: 'other' });
    const targets = { targets: [other.upstream.url, other.upstream.url.replace('127.0.0.1', 'localhost')] };
    const { agent } = await runCache({}, {}, { service: targets });
    for (let i = 0; i < 4; i++) await agent.get('/api/v1/demo/shared').expect('other');
    expect(other.asked()).to.equal(1);
  });

  it('refuses options that it does not know', async () => {
    const failure = await runPlugin(responseCache, { tll: 5 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(String(failure)).to.match(/tll/);
  });
});
