import Router from '@koa/router';
import { expect } from 'chai';
import Koa from 'koa';
import supertest from 'supertest';
import { Type } from 'typebox';
import { mountStatsRoutes } from '../../../core/admin/stats-routes.js';
import { definePlugin, type EndpointRouter } from '../../../core/index.js';
import { RequestCounters } from '../../../core/request-counters.js';
import { FakeClock } from '../../support/fake-clock.js';
import { runPlugin } from '../../support/plugin-kit.js';
import { until } from '../../support/until.js';
import { exchangeOf } from '../statistics/exchanges.js';

const counting = definePlugin({
  name: 'counting',
  summary: 'Reports a number.',
  options: Type.Object({}),
  plugin: class {
    stats() {
      return { stats: { request_stats: { cache_hits: 7 }, own_stats: { answer: 42 } } };
    }
  },
});

describe('GET /api/v1/gateway/stats', () => {
  it('counts requests for services, and merges what plugins report', async () => {
    const { agent } = await runPlugin(counting);
    await agent.get('/api/v1/demo/echo').expect(200);
    await agent.get('/api/v1/demo/status/503').expect(503);
    await agent.get('/nowhere').expect(404);
    const stats = async () => (await agent.get('/api/v1/gateway/stats').expect(200)).body;
    await until('all three to be counted', async () => (await stats()).request_stats.total_requests === 3);
    const report = await stats();
    const { latency_ms: latency, ...counts } = report.request_stats;
    expect(counts).to.deep.equal({
      total_requests: 3,
      successful_requests: 1,
      failed_requests: 2,
      rate_limited_requests: 0,
      circuit_breaker_trips: 0,
      cache_hits: 7,
      cache_misses: 0,
    });
    expect(latency).to.have.all.keys('p50', 'p90', 'p95', 'p99');
    expect(report.circuit_breaker_stats).to.deep.equal({});
    expect(report.cache_stats).to.deep.equal({ size: 0, hit_rate: 0 });
    expect(report.own_stats).to.deep.equal({ answer: 42 });
    const { demo, ...others } = report.service_stats;
    expect(others).to.deep.equal({});
    expect(demo).to.include({ total_requests: 2, successful_requests: 1, failed_requests: 1 });
    expect(demo.latency_ms).to.have.all.keys('p50', 'p90', 'p95', 'p99');
  });

  it('forgets what was counted of services that are gone', async () => {
    const clock = new FakeClock();
    const counters = new RequestCounters(clock);
    const names = new Set(['one', 'two']);
    const router: EndpointRouter = new Router();
    mountStatsRoutes(router, { counters, plugins: [], services: () => [...names].map((name) => ({ name })) });
    for (const name of names) counters.count(exchangeOf({ service: name }));
    const app = new Koa();
    app.use(router.routes() as unknown as Koa.Middleware);
    const report = async () => (await supertest(app.callback()).get('/stats').expect(200)).body;
    expect(Object.keys((await report()).service_stats)).to.deep.equal(['one', 'two']);
    names.delete('one');
    const { service_stats: services, request_stats: all } = await report();
    expect(Object.keys(services)).to.deep.equal(['two']);
    expect(all.total_requests).to.equal(2);
  });
});
