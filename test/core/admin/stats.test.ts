import { expect } from 'chai';
import { Type } from 'typebox';
import { definePlugin } from '../../../core/index.js';
import { runPlugin } from '../../support/plugin-kit.js';
import { until } from '../../support/until.js';

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
    expect(await stats()).to.deep.equal({
      request_stats: {
        total_requests: 3,
        successful_requests: 1,
        failed_requests: 2,
        rate_limited_requests: 0,
        circuit_breaker_trips: 0,
        cache_hits: 7,
        cache_misses: 0,
      },
      circuit_breaker_stats: {},
      cache_stats: { size: 0, hit_rate: 0 },
      own_stats: { answer: 42 },
    });
  });
});
