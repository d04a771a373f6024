import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { expect } from 'chai';
import { RequestCounters } from '../../core/request-counters.js';
import { Bounds } from '../../plugins/metrics/buckets.js';
import { Exposition } from '../../plugins/metrics/exposition.js';
import metrics from '../../plugins/metrics/index.js';
import { writeTraffic } from '../../plugins/metrics/traffic-families.js';
import { TrafficMeter } from '../../plugins/metrics/traffic-meter.js';
import { type Ending, exchangeOf } from '../core/statistics/exchanges.js';
import { FakeClock } from '../support/fake-clock.js';
import { runPlugin } from '../support/plugin-kit.js';
import { Scrape, scrapeAfter } from './metrics-support.js';

/** Of those that Node.js' parser takes, only some are methods to the metrics. */
const METHODS = ['GET', 'PUT', 'PROPFIND', 'MKCOL', 'LOCK', 'REPORT', 'SEARCH', 'PURGE', 'LINK', 'SOURCE'];

/** Sends `count` requests, each to another URL and host, every second to a service that is not there. */
async function sendRandom(port: number, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const send = (index: number) =>
    new Promise<void>((resolve, reject) => {
      const random = randomBytes(6).toString('hex');
      const service = index % 2 === 0 ? 'demo' : `service-${random}`;
      const asked = request(
        {
          agent,
          port,
          host: '127.0.0.1',
          method: METHODS[Math.floor(index / 2) % METHODS.length],
          path: `/api/v1/${service}/${random}?${random}=1`,
          headers: { host: `${random}.test`, 'x-random': random },
        },
        (res) => res.resume().on('end', resolve).on('error', reject),
      );
      asked.on('error', reject);
      asked.end();
    });
  await Promise.all(Array.from({ length: count }, (_, index) => send(index)));
  agent.destroy();
}

function meterOf() {
  const clock = new FakeClock();
  const bounds = new Bounds([1]);
  const meter = new TrafficMeter(clock, { requests: bounds, upstream: bounds });
  const counters = new RequestCounters(clock);
  return {
    meter,
    record(ending: Ending) {
      const exchange = exchangeOf(ending);
      counters.count(exchange);
      meter.record(exchange);
    },
    scrape() {
      const out = new Exposition('prometheus');
      writeTraffic(meter, out);
      return new Scrape(out.end().toString(), '');
    },
  };
}

describe('the number of series', () => {
  it('does not grow with 10,000 random URLs, methods, hosts and services', async function () {
    this.timeout(60_000);
    const kit = await runPlugin(metrics, {}, { service: { pool: { connections: 32 } } });
    const upstreamAnswers = METHODS.length * 2;
    await sendRandom(kit.port, upstreamAnswers);
    const before = await scrapeAfter(kit, upstreamAnswers);
    await sendRandom(kit.port, 10_000);
    const after = await scrapeAfter(kit, 10_000 + upstreamAnswers);
    expect(after.samples.length).to.equal(before.samples.length);
    const methods = new Set(after.matching('gateway_requests_total').map(({ labels }) => labels.method));
    expect([...methods]).to.have.members(['GET', 'PUT', 'OTHER']);
    expect(after.sum('gateway_requests_total', { service: '' })).to.equal(5000 + METHODS.length);
    expect(after.sum('gateway_requests_total', { service: 'demo' })).to.equal(5000 + METHODS.length);
  });

  it('does not grow with the values of a decision beyond a few', () => {
    const { record, scrape } = meterOf();
    for (let i = 0; i < 1000; i++) record({ decisions: { split: `service-${i}` } });
    const services = scrape().matching('gateway_split_requests_total');
    expect(services).to.have.length(33);
    expect(scrape().sum('gateway_split_requests_total', { to: 'other' })).to.equal(968);
    expect(scrape().sum('gateway_split_requests_total')).to.equal(1000);
  });

  it('escapes what labels may not hold as it is', () => {
    const { record, scrape } = meterOf();
    record({ route: 'a "quoted"\\\nroute' });
    expect(scrape().text).to.include('route="a \\"quoted\\"\\\\\\nroute"');
  });
});
