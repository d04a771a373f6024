import { expect } from 'chai';
import { startUpstream } from '../support/upstream.js';
import { CIRCUIT, PATH, runBreaker, steering } from './circuit-breaker/support.js';

describe('circuit-breaker: whose circuit', () => {
  it('keeps a circuit per target where it is asked to; requests go to others then', async () => {
    const good = await startUpstream();
    const bad = await startUpstream((_req, res) => {
      res.statusCode = 500;
      res.end();
    });
    const kit = await runBreaker(
      { per: 'target', failureThreshold: 2 },
      { service: { targets: [good.url, bad.url] } },
    );
    expect((await kit.ask(4)).sort()).to.deep.equal([200, 200, 500, 500]);
    expect(await kit.ask(6), 'no client sees that one is cut off').to.deep.equal(Array(6).fill(200));
    expect(bad.requests.length).to.equal(2);
    const { body } = await kit.agent.get(CIRCUIT).expect(200);
    expect(body.state).to.equal('OPEN');
    const states = body.circuits.map(({ target, state }: { target: string; state: string }) => [
      target,
      state,
    ]);
    expect(states).to.deep.equal([
      [good.url, 'CLOSED'],
      [bad.url, 'OPEN'],
    ]);
    await kit.agent.post(`${CIRCUIT}/open?target=${good.url}`).expect(200);
    await kit.agent.get(PATH).expect(503).expect('Retry-After', '60');
    await good.close();
    await bad.close();
  });

  it('uses the circuit of the service that a request goes to, whatever its route', async () => {
    const canary = await startUpstream((_req, res) => {
      res.statusCode = 500;
      res.end();
    });
    const kit = await runBreaker(
      {},
      {
        before: [{ definition: steering }],
        settings: {
          services: {
            demo: {
              targets: ['http://127.0.0.1:1'],
              health: false,
              plugins: { 'circuit-breaker': { failureThreshold: 1 } },
            },
            canary: {
              targets: [canary.url],
              health: false,
              plugins: { 'circuit-breaker': { failureThreshold: 2 } },
            },
            plain: { targets: [canary.url], health: false, plugins: { 'circuit-breaker': false } },
          },
          routes: [
            {
              id: 'lenient',
              match: { path: '/lenient' },
              service: 'canary',
              plugins: { 'circuit-breaker': { failureThreshold: 9 } },
            },
          ],
        },
      },
    );
    const toCanary = () => kit.agent.get(PATH).set('X-To-Service', 'canary');
    await toCanary().expect(500);
    expect(await kit.state('canary'), 'by its own policy').to.equal('CLOSED');
    await kit.agent.get('/api/v1/canary/echo').expect(500);
    expect(await kit.state('canary'), 'the one circuit of all ways to it').to.equal('OPEN');
    await toCanary().expect(503);
    await kit.agent.get('/api/v1/canary/echo').expect(503);
    expect(canary.requests.length).to.equal(2);
    expect(await kit.stats('demo')).to.deep.equal({
      state: 'CLOSED',
      failure_count: 0,
      last_failure_time: null,
    });
    for (let i = 0; i < 7; i++) await kit.agent.get(PATH).set('X-To-Service', 'plain').expect(500);
    expect(await kit.stats('plain'), 'it has none').to.equal(undefined);
    await canary.close();
  });

  it('gives a route with a policy of its own a circuit of its own', async () => {
    const kit = await runBreaker(
      {},
      {
        settings: {
          routes: [
            {
              id: 'strict',
              match: { path: '/strict' },
              service: 'demo',
              plugins: { 'circuit-breaker': { failureThreshold: 1 } },
            },
            { id: 'same', match: { path: '/same' }, service: 'demo' },
          ],
        },
      },
    );
    kit.answer = 500;
    expect(await kit.ask(2, '/strict')).to.deep.equal([500, 503]);
    expect(await kit.ask(3)).to.deep.equal([500, 500, 500]);
    expect(await kit.ask(3, '/same'), 'shares that of its service').to.deep.equal([500, 500, 503]);
    expect(await kit.ask(1)).to.deep.equal([503]);
  });

  describe('a reload', () => {
    it('keeps the circuits', async () => {
      const kit = await runBreaker();
      kit.answer = 500;
      await kit.ask(4);
      await kit.gateway.reload(kit.configuration({}));
      await kit.ask(1);
      const before = await kit.stats();
      expect(before).to.include({ state: 'OPEN', failure_count: 5 });
      await kit.gateway.reload(kit.configuration({ fallback: { response: { status: 200 } } }));
      expect(await kit.stats(), 'a fallback is no policy').to.deep.equal(before);
      await kit.gateway.reload(kit.configuration({}));
      kit.clock.tick(60_000);
      kit.answer = 200;
      expect(await kit.ask(1)).to.deep.equal([200]);
      expect(await kit.state()).to.equal('HALF_OPEN');
      const { body } = await kit.agent.get('/api/v1/gateway/stats');
      expect(body.request_stats.circuit_breaker_trips).to.equal(1);
    });

    it('starts afresh under a changed policy, and counts trips on', async () => {
      const kit = await runBreaker();
      kit.answer = 500;
      await kit.ask(5);
      await kit.gateway.reload(kit.configuration({ failureThreshold: 6 }));
      expect(await kit.stats()).to.deep.equal({ state: 'CLOSED', failure_count: 0, last_failure_time: null });
      await kit.ask(6);
      expect(await kit.state()).to.equal('OPEN');
      const { body } = await kit.agent.get('/api/v1/gateway/stats');
      expect(body.request_stats.circuit_breaker_trips).to.equal(2);
    });
  });

  it('forgets the circuit of a service that is removed', async () => {
    const kit = await runBreaker({ failureThreshold: 1 });
    const services = '/api/v1/gateway/services';
    const registration = { service_name: 'late', targets: [kit.upstream.url], health: false };
    await kit.agent.post(services).send(registration).expect(201);
    expect(await kit.state('late')).to.equal('CLOSED');
    kit.answer = 500;
    await kit.ask(1, '/api/v1/late/x');
    expect(await kit.state('late')).to.equal('OPEN');
    await kit.agent
      .put(`${services}/late`)
      .send({ targets: [kit.upstream.url], health: false, timeout: { response: 9 } })
      .expect(200);
    expect(await kit.state('late'), 'an update keeps it').to.equal('OPEN');
    await kit.agent.delete(`${services}/late`).expect(204);
    expect(await kit.stats('late')).to.equal(undefined);
    await kit.agent.post(services).send(registration).expect(201);
    expect(await kit.stats('late')).to.deep.equal({
      state: 'CLOSED',
      failure_count: 0,
      last_failure_time: null,
    });
  });

  it('shows nothing of a service whose registration was refused', async () => {
    const kit = await runBreaker();
    const changed = { targets: [kit.upstream.url], plugins: { 'circuit-breaker': { failureThreshold: 1 } } };
    await kit.agent.put('/api/v1/gateway/services/demo').send(changed).expect(409);
    kit.answer = 500;
    await kit.ask(1);
    expect(await kit.stats()).to.include({ state: 'CLOSED', failure_count: 1 });
  });
});
