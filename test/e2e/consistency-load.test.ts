import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { type Scrape, scrape } from '../plugins/metrics-support.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { startGatewayCommand } from '../support/gateway-command.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const CONNECTIONS = 64;
const REQUESTS = 6400;
const SERVICES = 1000;
/** Milliseconds of CPU. */
const MOST_CPU = 50;

const tiny = (_req: unknown, res: { end(text: string): void }) => res.end('ok');

/** Sends requests over so many connections at once, one after the other on each; `onAnswer` hears of each. */
async function load(
  port: number,
  paths: readonly string[],
  connections: number,
  onAnswer: (status: number | undefined) => void,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const sendOne = (path: string) =>
    new Promise<void>((resolve, reject) => {
      const asked = request({ agent, host: '127.0.0.1', port, path }, (res) => {
        res.resume();
        res.on('end', () => {
          onAnswer(res.statusCode);
          resolve();
        });
      });
      asked.on('error', reject);
      asked.end();
    });
  const queue = [...paths];
  const work = async () => {
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) await sendOne(path);
  };
  await Promise.all(Array.from({ length: connections }, work));
  agent.destroy();
}

/** The total of each counter and histogram, by the whole of its labels. */
function totals({ samples }: Scrape): Map<string, number> {
  const cumulative = samples.filter(({ name }) => /^gateway_.*(?:_total|_count|_bucket)$/.test(name));
  return new Map(cumulative.map(({ name, labels, value }) => [`${name} ${JSON.stringify(labels)}`, value]));
}

describe('scrapes during a load', function () {
  this.timeout(60_000);
  let upstream: Upstream;
  let running: RunningGateway | undefined;

  before(async () => {
    upstream = await startUpstream(tiny);
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  after(() => upstream.close());

  it(`lose nothing with ${CONNECTIONS} connections, and never go back`, async () => {
    running = await startGateway(
      { services: { demo: service(upstream.url) }, plugins: ['metrics'] },
      { catalogue },
    );
    const { port, url } = running;
    const paths = Array.from({ length: REQUESTS }, (_, i) => `/api/v1/demo/${i}`);
    let answered = 0;
    const scrapes: { readonly before: number; readonly found: Scrape; readonly after: number }[] = [];
    const scraping = async () => {
      while (answered < REQUESTS) {
        const before = answered;
        // Two scrapers at the same time, one for each format.
        const [found, other] = await Promise.all([
          scrape(url),
          scrape(url, { accept: 'application/openmetrics-text' }),
        ]);
        scrapes.push({ before, found, after: answered }, { before, found: other, after: answered });
      }
    };
    const loading = load(port, paths, CONNECTIONS, (status) => {
      expect(status).to.equal(200);
      answered++;
    });
    await Promise.all([loading, scraping()]);
    expect(scrapes.length).to.be.greaterThan(2);
    for (const { before, found, after } of scrapes) {
      // What is under way may or may not be in it; what the clients knew to be answered is, but for the last of each.
      const total = found.sum('gateway_requests_total');
      expect(total).to.be.within(before - CONNECTIONS, after + CONNECTIONS);
      expect(found.sum('gateway_requests_duration_count')).to.equal(total);
      expect(found.sum('gateway_upstream_attempts_total')).to.equal(total);
    }
    let earlier = new Map<string, number>();
    for (const { found } of scrapes.filter((_, index) => index % 2 === 0)) {
      const now = totals(found);
      for (const [series, value] of earlier) expect(now.get(series), series).to.be.at.least(value);
      earlier = now;
    }
    let last = await scrape(url);
    await until('all to be counted', async () => {
      last = await scrape(url);
      return last.sum('gateway_requests_total') >= REQUESTS;
    });
    expect(last.sum('gateway_requests_total')).to.equal(REQUESTS);
    expect(last.sum('gateway_requests_duration_count')).to.equal(REQUESTS);
    const stats: unknown = await (await fetch(`${url}/api/v1/gateway/stats`)).json();
    expect(stats).to.have.nested.property('request_stats.total_requests', REQUESTS);
    expect(stats).to.have.nested.property('request_stats.successful_requests', REQUESTS);
  });

  it(`take less than ${MOST_CPU} ms of CPU with ${SERVICES} services`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gateway-scrapes-'));
    const names = Array.from({ length: SERVICES }, (_, i) => `service-${i}`);
    const file = join(directory, 'gatewayrc.json');
    const config = {
      host: '127.0.0.1',
      dataDirectory: join(directory, 'state'),
      services: Object.fromEntries(names.map((name) => [name, service(upstream.url)])),
      plugins: ['metrics'],
    };
    await writeFile(file, JSON.stringify(config));
    const gateway = await startGatewayCommand(['--config', file]);
    try {
      const { port } = gateway;
      if (port === undefined) throw new Error(gateway.stderr());
      const paths = names.map((name) => `/api/v1/${name}/x`);
      await load(port, paths, CONNECTIONS, (status) => expect(status).to.equal(200));
      // From scrape to scrape, the process says itself how much it has worked.
      const costs: number[] = [];
      let found = await scrape(`http://127.0.0.1:${port}`);
      for (let i = 0; i < 15; i++) {
        const before = found.sum('process_cpu_seconds_total');
        found = await scrape(`http://127.0.0.1:${port}`);
        costs.push((found.sum('process_cpu_seconds_total') - before) * 1000);
      }
      expect(found.matching('gateway_requests_total')).to.have.length(SERVICES);
      expect(found.samples.length).to.be.greaterThan(SERVICES * 35);
      const median = costs.toSorted((a, b) => a - b)[7];
      expect(median, costs.join()).to.be.below(MOST_CPU);
    } finally {
      await gateway.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
