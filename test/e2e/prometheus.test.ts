import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parse } from 'yaml';
import { Scrape, scrape } from '../plugins/metrics-support.js';
import { type GatewayCommand, startGatewayCommand } from '../support/gateway-command.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const run = promisify(execFile);
const PROMETHEUS = 'prometheus';
const RULES = fileURLToPath(new URL('../../config/prometheus/alerts.yaml', import.meta.url));

/** Prometheus itself, scraping one gateway. */
class PrometheusServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = '';
  #failure: Error | undefined;

  private constructor(port: number, directory: string, config: string) {
    this.url = `http://127.0.0.1:${port}`;
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ];
    this.#child = spawn(PROMETHEUS, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#child.on('error', (cause) => {
      this.#failure = new Error('prometheus cannot be run; install the Debian package prometheus', { cause });
    });
    this.#exited = Promise.race([once(this.#child, 'close'), once(this.#child, 'error')]);
  }

  /** @throws Error when it is not installed, or does not come up */
  static async start(directory: string, gatewayPort: number): Promise<PrometheusServer> {
    const config = join(directory, 'prometheus.yml');
    await writeFile(
      config,
      `global: { scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms }\nrule_files: [${RULES}]\n` +
        `scrape_configs:\n  - job_name: gateway\n    static_configs: [{ targets: ["127.0.0.1:${gatewayPort}"] }]\n`,
    );
    const server = new PrometheusServer(await freePort(), directory, config);
    try {
      await until('Prometheus to be ready', () => server.#isReady(), 20_000);
    } catch (error) {
      await server.stop();
      throw new Error(server.#output, { cause: error });
    }
    return server;
  }

  /** What an instant query answers with: the value of each series. */
  async query(promql: string): Promise<number[]> {
    const answer = await this.#get(`/api/v1/query?query=${encodeURIComponent(promql)}`);
    const { data } = answer as { data: { result: { value: [number, string] }[] } };
    return data.result.map(({ value }) => Number(value[1]));
  }

  /** Names of the alerting rules with the state of their evaluation. */
  async rules(): Promise<Map<string, string>> {
    const answer = await this.#get('/api/v1/rules');
    const { data } = answer as { data: { groups: { rules: { name: string; health: string }[] }[] } };
    return new Map(data.groups.flatMap(({ rules }) => rules.map(({ name, health }) => [name, health])));
  }

  /** Whether the latest scrape of the gateway was understood. */
  async lastError(): Promise<string> {
    const answer = await this.#get('/api/v1/targets');
    const { data } = answer as { data: { activeTargets: { lastError: string; health: string }[] } };
    const [target] = data.activeTargets;
    return target?.health === 'up' ? target.lastError : `not up: ${target?.lastError}`;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }

  async #isReady(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    return fetch(`${this.url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.url + path);
    if (!response.ok)
      throw new Error(`${path} was answered with ${response.status}: ${await response.text()}`);
    return response.json();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port');
  return address.port;
}

describe('Prometheus', function () {
  this.timeout(60_000);
  let directory: string;
  let upstream: Upstream;
  let gateway: GatewayCommand;
  let prometheus: PrometheusServer;
  let url: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
    upstream = await startUpstream();
    const file = join(directory, 'gatewayrc.yaml');
    await writeFile(
      file,
      `host: 127.0.0.1\ndataDirectory: ${join(directory, 'state')}\nlogging: { level: INFO }\n` +
        `services: { demo: { targets: ["${upstream.url}"], health: { interval: 1s } } }\n` +
        'plugins: [access-log, metrics, { rate-limit-token-bucket: { requests: 1000 } }]\n',
    );
    gateway = await startGatewayCommand(['--config', file]);
    expect(gateway.port, gateway.stderr()).to.be.a('number');
    url = `http://127.0.0.1:${gateway.port}`;
    prometheus = await PrometheusServer.start(directory, gateway.port ?? 0);
  });

  after(async () => {
    await prometheus?.stop();
    await gateway?.stop();
    await upstream?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('answers a query with the number of requests that were sent', async () => {
    for (let i = 0; i < 23; i++) expect((await fetch(`${url}/api/v1/demo/echo?${i}`)).status).to.equal(200);
    for (let i = 0; i < 4; i++) expect((await fetch(`${url}/api/v1/demo/status/503`)).status).to.equal(503);
    for (let i = 0; i < 3; i++) expect((await fetch(`${url}/nowhere/${i}`)).status).to.equal(404);
    let found: number[] = [];
    await until(
      '30 requests to be scraped',
      async () => {
        found = await prometheus.query('sum(gateway_requests_total)');
        return (found[0] ?? 0) >= 30;
      },
      10_000,
    );
    expect(found).to.deep.equal([30]);
    expect(await prometheus.query('sum(gateway_requests_total{service="demo",status="200"})')).to.deep.equal([
      23,
    ]);
    expect(await prometheus.query('sum(gateway_requests_total{service="demo",status="503"})')).to.deep.equal([
      4,
    ]);
    expect(await prometheus.query('sum(gateway_requests_total{code="ROUTE_NOT_FOUND"})')).to.deep.equal([3]);
    expect(await prometheus.query('sum(gateway_requests_duration_count)')).to.deep.equal([30]);
    expect(await prometheus.query('gateway_target_healthy{service="demo"}')).to.have.length(1);
    expect(await prometheus.lastError()).to.equal('');
  });

  it('finds every metric that the gateway has under its name', async () => {
    const { samples } = await scrape(url);
    const names = [...new Set(samples.map(({ name }) => name))];
    for (const name of names) expect(await prometheus.query(name), name).not.to.have.length(0);
  });

  it('is offered what the requirements show, at the addresses that they show', async () => {
    const file = join(directory, 'services.yaml');
    const service = `market-data-collector: { host: 127.0.0.1, port: ${upstream.port} }`;
    await writeFile(file, `api-gateway-service:\n  cache_ttl: 300\n  services: { ${service} }\n`);
    const flat = await startGatewayCommand(['--config', file]);
    try {
      const curl = async (path: string) => {
        const { stdout } = await run('sh', ['-c', `curl -s http://localhost:${flat.port}${path}`]);
        return stdout;
      };
      expect(flat.port, flat.stderr()).to.be.a('number');
      await curl('/api/v1/market-data-collector/status/404');
      await until('the request to be counted', async () =>
        (await curl('/metrics')).includes('market-data-collector",method="GET",status="404"'),
      );
      const { text, types } = new Scrape(await curl('/metrics'), '');
      expect(types.get('gateway_requests_total')).to.equal('counter');
      expect(types.get('gateway_requests_duration')).to.equal('histogram');
      expect(types.get('gateway_cache_hits_total')).to.equal('counter');
      expect(text).to.match(/^gateway_circuit_breaker_state\{.*service="market-data-collector".*\} 0$/m);
      const stats = JSON.parse(await curl('/api/v1/gateway/stats'));
      expect(stats.request_stats).to.include({
        total_requests: 1,
        successful_requests: 0,
        failed_requests: 1,
      });
      expect(stats.request_stats).to.include({
        rate_limited_requests: 0,
        circuit_breaker_trips: 0,
        cache_hits: 0,
      });
      expect(stats.request_stats).to.have.property('cache_misses');
      expect(stats.circuit_breaker_stats['market-data-collector']).to.deep.include({
        state: 'CLOSED',
        failure_count: 0,
        last_failure_time: null,
      });
      expect(stats.cache_stats).to.include({ size: 0, hit_rate: 0 });
    } finally {
      await flat.stop();
    }
  });

  it('evaluates the alert rules that come with the gateway', async () => {
    const { groups } = parse(await readFile(RULES, 'utf8'));
    const names = groups.flatMap(({ rules }: { rules: { alert: string }[] }) =>
      rules.map(({ alert }) => alert),
    );
    let states = new Map<string, string>();
    await until(
      'all rules to be evaluated',
      async () => {
        states = await prometheus.rules();
        return states.size > 0 && [...states.values()].every((health) => health !== 'unknown');
      },
      10_000,
    );
    expect([...states.keys()]).to.have.members(names);
    expect(new Set(states.values())).to.deep.equal(new Set(['ok']));
  });
});
