import { expect } from 'chai';
import { until } from '../support/until.js';
import { PATH, runBreaker } from './circuit-breaker/support.js';

describe('circuit-breaker', () => {
  it('opens after five failures in a row, refuses at once for 60 s, and closes when probes succeed', async () => {
    const kit = await runBreaker();
    kit.answer = 500;
    expect(await kit.ask(5)).to.deep.equal([500, 500, 500, 500, 500]);
    kit.answer = 200;
    expect(await kit.ask(3)).to.deep.equal([503, 503, 503]);
    expect(kit.upstream.requests.length, 'the upstream is left alone').to.equal(5);
    kit.clock.tick(59_999);
    expect(await kit.ask(1)).to.deep.equal([503]);
    kit.clock.tick(1);
    expect(await kit.ask(1)).to.deep.equal([200]);
    expect(await kit.state()).to.equal('HALF_OPEN');
    expect(await kit.ask(2)).to.deep.equal([200, 200]);
    expect(await kit.state()).to.equal('CLOSED');
  });

  it('says in seconds when to come back, never 0', async () => {
    const kit = await runBreaker();
    kit.answer = 502;
    await kit.ask(5);
    const refused = await kit.agent.get(PATH).expect(503).expect('Retry-After', '60');
    expect(refused.body).to.include({
      error: 'Service temporarily unavailable',
      code: 'SERVICE_UNAVAILABLE',
    });
    kit.clock.tick(58_001);
    await kit.agent.get(PATH).expect(503).expect('Retry-After', '2');
    kit.clock.tick(1998);
    await kit.agent.get(PATH).expect(503).expect('Retry-After', '1');
  });

  it('opens again for the whole time when a probe fails', async () => {
    const kit = await runBreaker();
    kit.answer = 503;
    await kit.ask(5);
    kit.clock.tick(60_000);
    await kit.agent.get(PATH).expect(503);
    expect(kit.upstream.requests.length).to.equal(6);
    expect(await kit.state()).to.equal('OPEN');
    await kit.agent.get(PATH).expect(503).expect('Retry-After', '60');
    expect(kit.upstream.requests.length).to.equal(6);
  });

  it('treats all methods alike, with and without bodies', async () => {
    const kit = await runBreaker();
    kit.answer = 500;
    await kit.agent.post(PATH).send({ a: 1 }).expect(500);
    await kit.agent.head(PATH).expect(500);
    await kit.agent.put(PATH).send('x'.repeat(100_000)).expect(500);
    await kit.agent.delete(PATH).expect(500);
    await kit.agent.get(PATH).expect(500);
    await kit.agent.post(PATH).send('x'.repeat(100_000)).expect(503).expect('Retry-After', '60');
    const head = await kit.agent.head(PATH).expect(503).expect('Retry-After', '60');
    expect(head.text).to.equal(undefined);
    expect(kit.upstream.requests.length).to.equal(5);
  });

  it('lets so many probes pass at a time', async () => {
    const kit = await runBreaker({
      failureThreshold: 1,
      probes: 2,
      successThreshold: 2,
      recoveryTimeout: '1s',
    });
    kit.answer = 500;
    await kit.ask(1);
    kit.clock.tick(1000);
    const waiting: (() => void)[] = [];
    kit.answer = (_req, res) => waiting.push(() => res.end('ok'));
    const probes = [1, 2].map(() => kit.agent.get(PATH).then(({ status }) => status));
    await until('both probes to arrive', () => waiting.length === 2);
    await kit.agent.get(PATH).expect(503).expect('Retry-After', '1');
    expect(waiting.length).to.equal(2);
    for (const go of waiting) go();
    expect(await Promise.all(probes)).to.deep.equal([200, 200]);
    expect(await kit.state()).to.equal('CLOSED');
  });

  it('does not let a long download keep it half-open', async () => {
    const kit = await runBreaker({ failureThreshold: 1, probes: 1, successThreshold: 1 });
    kit.answer = 500;
    await kit.ask(1);
    kit.clock.tick(60_000);
    let finish = () => {};
    kit.answer = (_req, res) => {
      res.write('begun');
      finish = () => res.end('done');
    };
    const download = kit.agent.get(PATH).then(({ text }) => text);
    await until('it to close', async () => (await kit.state()) === 'CLOSED');
    finish();
    expect(await download).to.equal('begundone');
  });

  it('opens by the share of failures in the window', async () => {
    const kit = await runBreaker({ failureThreshold: 0, failureRatio: 0.5, minimumCalls: 4, window: '16s' });
    for (const status of [500, 500, 500]) {
      kit.answer = status;
      await kit.ask(1);
    }
    expect(await kit.state(), 'three are too few').to.equal('CLOSED');
    kit.clock.tick(16_000);
    for (const status of [200, 200, 500]) {
      kit.answer = status;
      await kit.ask(1);
    }
    expect(await kit.state(), 'those before are forgotten').to.equal('CLOSED');
    kit.answer = 500;
    await kit.ask(1);
    expect(await kit.state()).to.equal('OPEN');
  });

  it('opens by the share of slow calls, and counts by the head, not by the body', async () => {
    const kit = await runBreaker({ slowRatio: 0.5, slowAfter: '2s', minimumCalls: 4 });
    const takes = (ms: number) => () => {
      kit.answer = (_req, res) => {
        kit.clock.tick(ms);
        res.end('ok');
      };
    };
    for (const set of [takes(2000), takes(0), takes(2001)]) {
      set();
      await kit.agent.get(PATH).expect(200);
    }
    expect(await kit.state()).to.equal('CLOSED');
    takes(9000)();
    await kit.agent.get(PATH).expect(200);
    expect(await kit.state()).to.equal('OPEN');
    await kit.agent.get(PATH).expect(503);
  });

  it('says which contradictions there are in its options, all at once', async () => {
    const failure = await runBreaker({
      failureThreshold: 0,
      statuses: ['504-500'],
      fallback: { response: { headers: { 'Content-Length': '3', 'bad name': 'x' } } },
    }).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(failure).to.contain('failureThreshold');
    expect(failure).to.contain('statuses[0]');
    expect(failure).to.contain('fallback.response.headers.Content-Length');
    expect(failure).to.contain('fallback.response.headers.bad name');
  });
});
