import { expect } from 'chai';
import metrics from '../../plugins/metrics/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import { scrape, scrapeAfter } from './metrics-support.js';

describe('metrics over reloads and changes of services', () => {
  it('goes on counting after a reload, with a fresh histogram where the buckets changed', async () => {
    const kit = await runPlugin(metrics);
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    await scrapeAfter(kit, 1);
    await kit.gateway.reload(kit.configuration({}));
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    let found = await scrapeAfter(kit, 2);
    expect(found.sum('gateway_requests_duration_count')).to.equal(2);
    await kit.gateway.reload(kit.configuration({ buckets: { requests: [1] } }));
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    found = await scrapeAfter(kit, 3);
    expect(found.sum('gateway_requests_duration_count')).to.equal(1);
    expect(found.matching('gateway_requests_duration_bucket')).to.have.length(2);
    expect(found.sum('gateway_upstream_duration_seconds_count')).to.equal(3);
    expect(found.sum('gateway_config_reloads_total', { result: 'success' })).to.equal(2);
    expect(found.sum('gateway_config_generation')).to.equal(3);
  });

  it('tells of a reload that was refused, and is not changed by it', async () => {
    const kit = await runPlugin(metrics);
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    kit.clock.tick(5000);
    const refusing = {
      ...kit.configuration({ buckets: { requests: [1] } }),
      routes: [{ id: 'x', match: {} }],
    };
    const refused = await kit.gateway.reload(refusing).then(
      () => false,
      () => true,
    );
    expect(refused).to.equal(true);
    const elsewhere = { ...kit.configuration({ buckets: { requests: [1] } }), port: 1 };
    await kit.gateway.reload(elsewhere).catch(() => undefined);
    const found = await scrapeAfter(kit, 1);
    expect(found.sum('gateway_requests_duration_count')).to.equal(1);
    // One that could not be read, and one that could not be taken into use.
    expect(found.sum('gateway_config_reloads_total', { result: 'failure' })).to.equal(2);
    expect(found.sum('gateway_config_last_reload_successful')).to.equal(0);
    expect(found.sum('gateway_config_generation')).to.equal(1);
    const loaded = found.sum('gateway_config_last_reload_success_timestamp_seconds');
    expect(loaded).to.equal((kit.clock.now() - 5000) / 1000);
    await kit.gateway.reload(kit.configuration({}));
    const after = await scrape(kit.url);
    expect(after.sum('gateway_config_last_reload_successful')).to.equal(1);
  });

  it('drops the series of services that are gone', async () => {
    const kit = await runPlugin(metrics);
    const register = () =>
      kit.agent
        .post('/api/v1/gateway/services')
        .send({ service_name: 'extra', targets: [kit.upstream.url], health: false })
        .expect(201);
    await register();
    await kit.agent.get('/api/v1/extra/echo').expect(200);
    expect(
      (await scrapeAfter(kit, 1)).matching('gateway_requests_total', { service: 'extra' }),
    ).to.have.length(1);
    await kit.agent.delete('/api/v1/gateway/services/extra').expect(204);
    expect((await scrape(kit.url)).text).not.to.include('extra');
    await register();
    await kit.agent.get('/api/v1/extra/echo').expect(200);
    expect((await scrapeAfter(kit, 1)).sum('gateway_requests_total', { service: 'extra' })).to.equal(1);
  });

  it('forgets services that are gone also where nobody scrapes', async () => {
    const kit = await runPlugin(metrics);
    for (let round = 1; round <= 2; round++) {
      await kit.agent
        .post('/api/v1/gateway/services')
        .send({ service_name: 'extra', targets: [kit.upstream.url], health: false })
        .expect(201);
      await kit.agent.get('/api/v1/extra/echo').expect(200);
      await until('it to be counted', async () => {
        const { body } = await kit.agent.get('/api/v1/gateway/stats');
        return body.request_stats.total_requests === round;
      });
      if (round === 1) await kit.agent.delete('/api/v1/gateway/services/extra').expect(204);
    }
    await scrapeAfter(kit, 1);
  });

  it('listens to nothing and has no timer once the gateway has stopped', async () => {
    const kit = await runPlugin(metrics);
    const { events } = kit.gateway;
    expect([events.listenerCount('reload'), events.listenerCount('target.health')]).to.deep.equal([1, 1]);
    await kit.gateway.reload(kit.configuration({ process: false }));
    expect(events.listenerCount('reload')).to.equal(1);
    await kit.gateway.stop();
    expect([events.listenerCount('reload'), events.listenerCount('target.health')]).to.deep.equal([0, 0]);
    expect(kit.clock.pending).to.equal(0);
  });

  it('drops the series of routes that a reload took away', async () => {
    const routes = [{ id: 'short', match: { path: '/short' }, service: 'demo' }];
    const kit = await runPlugin(metrics, {}, { settings: { routes } });
    await kit.agent.get('/short').expect(200);
    await scrapeAfter(kit, 1);
    await kit.gateway.reload({ ...kit.configuration({}), routes: [] });
    expect((await scrape(kit.url)).text).not.to.include('short');
  });
});
