import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import {
  definePlugin,
  type GatewayPlugin,
  type GatewayRequest,
  type Metric,
  PLUGIN_METRICS,
} from '../../core/index.js';
import { startUpstream } from '../support/upstream.js';
import { CIRCUIT, PATH, runBreaker } from './circuit-breaker/support.js';

const CIRCUITS = '/api/v1/gateway/circuits';
const AT_NOON = '2024-01-01T12:00:00.000Z';

let decisions: unknown[];

/** Shows what other plugins offer to `/metrics`, and what was decided on requests. */
@injectable()
class Observer implements GatewayPlugin {
  readonly #metrics: () => readonly Metric[];

  constructor(@inject(PLUGIN_METRICS) metrics: () => readonly Metric[]) {
    this.#metrics = metrics;
  }

  endpoints(router: Parameters<NonNullable<GatewayPlugin['endpoints']>>[0]): void {
    router.get('/observed', (ctx) => {
      ctx.body = this.#metrics().map((metric) => ({ ...metric, series: [...metric.series] }));
    });
  }

  finished(request: GatewayRequest): void {
    if (request.isExchange()) decisions.push(request.decisions.circuit);
  }
}

const observer = definePlugin({
  name: 'observer',
  summary: 'For tests.',
  options: Type.Object({}),
  plugin: Observer,
});

describe('circuit-breaker: reports', () => {
  beforeEach(() => {
    decisions = [];
  });

  it('are in /stats and /status, in the requirements’ shapes', async () => {
    const kit = await runBreaker({ recoveryTimeout: '30s' });
    const statusReport = async () => (await kit.agent.get('/api/v1/gateway/status').expect(200)).body;
    expect(await kit.stats()).to.deep.equal({ state: 'CLOSED', failure_count: 0, last_failure_time: null });
    expect(await statusReport()).to.deep.include({ active_circuit_breakers: 0 });
    expect((await statusReport()).config).to.include({ enable_circuit_breaker: true });
    kit.answer = 500;
    await kit.ask(6);
    expect(await kit.stats()).to.deep.equal({ state: 'OPEN', failure_count: 5, last_failure_time: AT_NOON });
    expect(await statusReport()).to.deep.include({ active_circuit_breakers: 1 });
    kit.clock.tick(30_000);
    await kit.ask(1);
    expect(await kit.stats()).to.deep.equal({
      state: 'OPEN',
      failure_count: 6,
      last_failure_time: '2024-01-01T12:00:30.000Z',
    });
    const { body } = await kit.agent.get('/api/v1/gateway/stats').expect(200);
    expect(body.request_stats.circuit_breaker_trips, 'also where a probe failed').to.equal(2);
  });

  it('are metrics: a gauge of the state, and a counter of trips', async () => {
    const kit = await runBreaker({ failureThreshold: 1 }, { after: [{ definition: observer }] });
    const values = async () => {
      const { body } = await kit.agent.get('/observed').expect(200);
      return body.map(({ name, type, series }: Metric) => [name, type, series]);
    };
    const expected = (state: number, trips: number) => [
      ['gateway_circuit_breaker_state', 'gauge', [{ labels: { service: 'demo' }, value: state }]],
      ['gateway_circuit_breaker_trips_total', 'counter', [{ labels: { service: 'demo' }, value: trips }]],
    ];
    expect(await values()).to.deep.equal(expected(0, 0));
    kit.answer = 500;
    await kit.ask(1);
    expect(await values()).to.deep.equal(expected(2, 1));
    kit.clock.tick(60_000);
    kit.answer = 200;
    await kit.ask(1);
    expect(await values()).to.deep.equal(expected(1, 1));
    await kit.ask(2);
    expect(await values()).to.deep.equal(expected(0, 1));
    await kit.agent.post(`${CIRCUIT}/open`).expect(200);
    expect(await values(), 'an administrator is no failure').to.deep.equal(expected(2, 1));
  });

  it('are decisions on requests', async () => {
    const kit = await runBreaker({ failureThreshold: 1 }, { after: [{ definition: observer }] });
    kit.answer = 500;
    await kit.ask(2);
    kit.clock.tick(60_000);
    kit.answer = 200;
    await kit.ask(4);
    expect(decisions).to.deep.equal(['closed', 'open', 'half-open', 'half-open', 'half-open', 'closed']);
  });

  it('are events and log lines, one for each transition; a listener that throws harms nobody', async () => {
    const kit = await runBreaker({ failureThreshold: 1, successThreshold: 1 });
    const events: unknown[] = [];
    kit.gateway.events.on('circuit.state', (event) => events.push(event));
    kit.gateway.events.on('circuit.state', () => {
      throw new Error('a listener that fails');
    });
    kit.answer = 500;
    expect(await kit.ask(2)).to.deep.equal([500, 503]);
    kit.clock.tick(60_000);
    kit.answer = 200;
    expect(await kit.ask(1)).to.deep.equal([200]);
    const expected = [
      { service: 'demo', from: 'CLOSED', to: 'OPEN', reason: 'failures in a row' },
      { service: 'demo', from: 'OPEN', to: 'HALF_OPEN', reason: 'recovery timeout' },
      { service: 'demo', from: 'HALF_OPEN', to: 'CLOSED', reason: 'probes succeeded' },
    ];
    expect(events).to.deep.equal(expected);
    const lines = kit.logLines.map((line) => JSON.parse(line)).filter(({ reason }) => reason !== undefined);
    expect(lines.map(({ service, from, to, reason }) => ({ service, from, to, reason }))).to.deep.equal(
      expected,
    );
    expect(lines.map(({ level, message }) => [level, message])).to.deep.equal([
      ['WARNING', 'A circuit opened'],
      ['INFO', 'A circuit is half-open'],
      ['INFO', 'A circuit closed'],
    ]);
    expect(
      kit.logLines.filter((line) => line.includes('A listener for circuit.state failed')).length,
    ).to.equal(3);
  });
});

describe('circuit-breaker: administration', () => {
  it('lists circuits, and shows one', async () => {
    const kit = await runBreaker();
    kit.answer = 500;
    await kit.ask(5);
    const circuit = {
      service: 'demo',
      target: null,
      state: 'OPEN',
      held: false,
      failure_count: 5,
      last_failure_time: AT_NOON,
      probes: 0,
      retry_after: 60,
    };
    const list = await kit.agent.get(CIRCUITS).expect(200);
    expect(list.body).to.deep.equal({ circuits: [circuit], total: 1 });
    const one = await kit.agent.get(CIRCUIT).expect(200);
    expect(one.body).to.deep.equal({
      service_name: 'demo',
      state: 'OPEN',
      failure_count: 5,
      last_failure_time: AT_NOON,
      circuits: [circuit],
    });
    const missing = await kit.agent.get(`${CIRCUITS}/nobody`).expect(404);
    expect(missing.body.code).to.equal('SERVICE_NOT_FOUND');
    await kit.agent.post(`${CIRCUITS}/nobody/open`).expect(404);
    await kit.agent.post(`${CIRCUIT}/explode`).expect(404);
    await kit.agent.get(`${CIRCUIT}/open`).expect(405).expect('Allow', /POST/);
  });

  it('forces a circuit open and closed, and resets it, over reloads', async () => {
    const kit = await runBreaker({ failureThreshold: 2 });
    const open = await kit.agent.post(`${CIRCUIT}/open`).expect(200);
    expect(open.body.circuits[0]).to.include({ state: 'OPEN', held: true, retry_after: 60 });
    kit.clock.tick(3_600_000);
    await kit.gateway.reload(kit.configuration({ failureThreshold: 2 }));
    expect(await kit.ask(2)).to.deep.equal([503, 503]);
    expect(kit.upstream.requests.length).to.equal(0);

    const closed = await kit.agent.post(`${CIRCUIT}/close`).expect(200);
    expect(closed.body.circuits[0]).to.include({ state: 'CLOSED', held: true, retry_after: null });
    kit.answer = 500;
    expect(await kit.ask(4)).to.deep.equal([500, 500, 500, 500]);
    expect(await kit.stats()).to.include({ state: 'CLOSED', failure_count: 4 });

    const reset = await kit.agent.post(`${CIRCUIT}/reset`).expect(200);
    expect(reset.body.circuits[0]).to.include({
      state: 'CLOSED',
      held: false,
      failure_count: 0,
      last_failure_time: null,
    });
    expect(await kit.ask(3)).to.deep.equal([500, 500, 503]);
    const lines = kit.logLines.filter((line) => line.includes('An administrator set a circuit'));
    expect(lines.map((line) => JSON.parse(line).action)).to.deep.equal(['open', 'close', 'reset']);
  });

  it('sets the circuit of one target', async () => {
    const [one, two] = [await startUpstream(), await startUpstream()];
    const kit = await runBreaker({ per: 'target' }, { service: { targets: [one.url, two.url] } });
    const query = `?target=${encodeURIComponent(two.url)}`;
    const { body } = await kit.agent.post(`${CIRCUIT}/open${query}`).expect(200);
    expect(body.circuits.map(({ state }: { state: string }) => state)).to.deep.equal(['CLOSED', 'OPEN']);
    expect(body.state, 'the worst').to.equal('OPEN');
    expect(await kit.ask(4)).to.deep.equal([200, 200, 200, 200]);
    expect(one.requests.length).to.equal(4);
    expect(two.requests.length).to.equal(0);
    await kit.agent.post(`${CIRCUIT}/open?target=http://nowhere`).expect(404);
    await kit.agent.post(`${CIRCUIT}/reset`).expect(200);
    expect(await kit.ask(4)).to.deep.equal([200, 200, 200, 200]);
    await one.close();
    await two.close();
  });

  it('is for administrators', async () => {
    const kit = await runBreaker({}, { settings: { admin: { token: 'a token for the tests' } } });
    await kit.agent.post(`${CIRCUIT}/open`).set('X-Forwarded-For', '192.0.2.1').expect(401);
    await kit.agent.get(PATH).expect(200);
  });
});
