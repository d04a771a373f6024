import { expect } from 'chai';
import tracing from '../../plugins/tracing/index.js';
import { type Collector, startCollector } from '../support/otlp-collector.js';
import { runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';

describe('tracing: the collector', () => {
  let collector: Collector;

  beforeEach(async () => {
    collector = await startCollector();
  });

  afterEach(() => collector.close());

  const options = (more: object = {}) => ({ endpoint: collector.url, sample: 1, interval: '10ms', ...more });

  it('gets what waits when the gateway stops, compressed and with the fields it asks for', async () => {
    const kit = await runPlugin(
      tracing,
      options({ interval: '60s', gzip: true, headers: { 'x-api-key': 's3cr3t' } }),
    );
    for (let i = 0; i < 3; i++) await kit.agent.get('/api/v1/demo/echo').expect(200);
    expect(collector.requests).to.have.length(0);
    await kit.gateway.stop();
    expect(collector.spans).to.have.length(6);
    expect(collector.requests[0]).to.have.nested.property('headers.x-api-key', 's3cr3t');
    expect(collector.requests[0]).to.include({ path: '/v1/traces' });
  });

  it('may refuse or be gone: requests are none the worse, and the log says so once', async () => {
    collector.answer = 400;
    const kit = await runPlugin(tracing, options({ timeout: '200ms', headers: { 'x-api-key': 's3cr3t' } }));
    for (let i = 0; i < 5; i++) await kit.agent.get('/api/v1/demo/echo').expect(200);
    const complaints = () => kit.logLines.filter((line) => line.includes('Spans could not be exported'));
    await until('a complaint', () => complaints().length === 1);
    await collector.close();
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    await kit.gateway.stop();
    expect(complaints()).to.have.length(1);
    expect(complaints()[0]).not.to.contain('s3cr3t');
  });

  it('may hang: spans beyond the queue are dropped, and a stop waits no longer than it may', async () => {
    collector.answer = 'hang';
    const kit = await runPlugin(
      tracing,
      options({ queue: 4, batch: 1, timeout: '60s', stopTimeout: '100ms' }),
    );
    for (let i = 0; i < 5; i++) await kit.agent.get('/api/v1/demo/echo').expect(200);
    const began = performance.now();
    await kit.gateway.stop();
    expect(performance.now() - began).to.be.below(2000);
    const line = kit.logLines.find((each) => each.includes('Spans were not exported'));
    expect(JSON.parse(line ?? '{}')).to.include({ spans: 4, dropped: 6 });
  });
});
