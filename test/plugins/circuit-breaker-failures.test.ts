import { request as httpRequest } from 'node:http';
import { expect } from 'chai';
import { until } from '../support/until.js';
import { startRawUpstream, startUpstream } from '../support/upstream.js';
import { type BreakerKit, CIRCUIT, PATH, runBreaker } from './circuit-breaker/support.js';

describe('circuit-breaker: counts as failures', () => {
  for (const status of [500, 502, 503, 504]) {
    it(`the status ${status}`, async () => {
      const kit = await runBreaker({ failureThreshold: 2 });
      kit.answer = status;
      await kit.ask(2);
      expect(await kit.state()).to.equal('OPEN');
    });
  }

  for (const status of [301, 400, 401, 404, 408, 429, 499, 501, 505, 599]) {
    it(`not the status ${status}`, async () => {
      const kit = await runBreaker({ failureThreshold: 1 });
      kit.answer = status;
      expect(await kit.ask(2)).to.deep.equal([status, status]);
      expect(await kit.state()).to.equal('CLOSED');
    });
  }

  it('the statuses that are configured, single ones, ranges and classes, instead', async () => {
    const kit = await runBreaker({ failureThreshold: 1, statuses: ['4xx', '510-512', 599, '503'] });
    const opens: Record<number, boolean> = {};
    for (const status of [399, 400, 429, 499, 500, 502, 503, 509, 510, 512, 513, 599]) {
      kit.answer = status;
      await kit.agent.post(`${CIRCUIT}/reset`).expect(200);
      await kit.agent.get(PATH);
      opens[status] = (await kit.state()) === 'OPEN';
    }
    expect(Object.keys(opens).filter((status) => opens[Number(status)])).to.deep.equal([
      '400',
      '429',
      '499',
      '503',
      '510',
      '512',
      '599',
    ]);
  });

  it('a connection that is refused', async () => {
    const gone = await startUpstream();
    await gone.close();
    const kit = await runBreaker({ failureThreshold: 2 }, { service: { targets: [gone.url] } });
    expect(await kit.ask(3)).to.deep.equal([503, 503, 503]);
    expect(await kit.state()).to.equal('OPEN');
  });

  it('a connection that breaks before the head, and a response that is no HTTP', async () => {
    for (const then of ['reset', 'garbage']) {
      const raw = await startRawUpstream((socket) => {
        socket.once('data', () => {
          if (then === 'reset') socket.resetAndDestroy();
          else socket.end('no HTTP at all\r\n\r\n');
        });
      });
      const kit = await runBreaker({ failureThreshold: 2 }, { service: { targets: [raw.url] } });
      expect(await kit.ask(2), then).to.deep.equal([502, 502]);
      expect(await kit.state(), then).to.equal('OPEN');
      await raw.close();
    }
  });

  it('a response that does not come in time', async () => {
    const kit = await runBreaker({ failureThreshold: 1 }, { service: { timeout: { total: '5s' } } });
    kit.answer = () => {};
    const pending = kit.agent.get(PATH).then(({ status }) => status);
    await until('the request to arrive', () => kit.upstream.requests.length === 1);
    kit.clock.tick(5000);
    expect(await pending).to.equal(504);
    expect(await kit.state()).to.equal('OPEN');
  });

  it('a body that the upstream breaks off, also where all do', async () => {
    const kit = await runBreaker({ failureThreshold: 3 });
    kit.answer = (_req, res) => {
      res.setHeader('content-length', 1000);
      res.write('x'.repeat(100), () => setImmediate(() => res.socket?.resetAndDestroy()));
    };
    for (let i = 1; i <= 3; i++) {
      const failure = await kit.agent.get(PATH).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).to.be.instanceOf(Error);
      await until(`failure ${i}`, async () => (await kit.stats())?.failure_count === i);
    }
    expect(await kit.state()).to.equal('OPEN');
  });

  it('a body that is no HTTP from some point on', async () => {
    const raw = await startRawUpstream((socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n'),
      );
    });
    const kit = await runBreaker({ failureThreshold: 1 }, { service: { targets: [raw.url] } });
    await kit.agent.get(PATH).catch(() => undefined);
    await until('the circuit to open', async () => (await kit.state()) === 'OPEN');
    await raw.close();
  });

  it('not a body that comes to its end later, nor one that the client leaves: those are successes, then', async () => {
    const kit = await runBreaker();
    for (const ending of ['whole', 'left']) {
      kit.answer = 500;
      await kit.ask(2);
      let finish = () => {};
      kit.answer = (_req, res) => {
        res.write('begun');
        finish = () => res.end('done');
      };
      if (ending === 'whole') {
        const whole = kit.agent.get(PATH).then(({ text }) => text);
        await until('the response to begin', () => kit.upstream.activeRequests() === 1);
        expect(await kit.stats(), 'nobody knows yet').to.include({ failure_count: 2 });
        finish();
        expect(await whole).to.equal('begundone');
      } else {
        await leave(kit, 'response');
      }
      await until('the verdict', async () => (await kit.stats())?.failure_count === 0);
    }
  });

  it('not a body that the client leaves, nor a stream of events that ends', async () => {
    const kit = await runBreaker({ failureThreshold: 1 });
    kit.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      res.write('x'.repeat(100));
    };
    await leave(kit, 'response');
    expect(await kit.stats()).to.deep.equal({ state: 'CLOSED', failure_count: 0, last_failure_time: null });

    kit.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 1\n\n', () => setImmediate(() => res.socket?.resetAndDestroy()));
    };
    await kit.agent.get(PATH).catch(() => undefined);
    expect(await kit.stats()).to.deep.equal({ state: 'CLOSED', failure_count: 0, last_failure_time: null });
  });

  it('not what clients do: leave, send too much, send too slowly', async () => {
    const kit = await runBreaker(
      { failureThreshold: 1 },
      { settings: { limits: { body: '1kb', bodyTimeout: '5s' } } },
    );
    kit.answer = () => {};
    await leave(kit, 'request');

    kit.answer = (req) => req.resume();
    const tooMuch = await chunkedPost(kit.port, 'x'.repeat(5000));
    expect(await tooMuch.status).to.equal(413);

    const arrived = kit.upstream.requests.length;
    const tooSlow = await chunkedPost(kit.port, 'x', false);
    await until('the body to begin', () => (kit.upstream.requests[arrived]?.bodyLength ?? 0) > 0);
    kit.clock.tick(6000);
    expect(await tooSlow.status).to.equal(408);
    expect(await kit.stats()).to.deep.equal({ state: 'CLOSED', failure_count: 0, last_failure_time: null });
  });

  it('gives the slot of a probe back whose client left', async () => {
    const kit = await runBreaker({ failureThreshold: 1, probes: 1, successThreshold: 1 });
    kit.answer = 500;
    await kit.ask(1);
    kit.clock.tick(60_000);
    kit.answer = () => {};
    for (let i = 1; i <= 3; i++) {
      await leave(kit, 'request');
      const { body } = await kit.agent.get(CIRCUIT).expect(200);
      expect(body.state).to.equal('HALF_OPEN');
      expect(body.circuits[0].probes).to.equal(0);
    }
    kit.answer = 200;
    await kit.agent.get(PATH).expect(200);
    expect(await kit.state()).to.equal('CLOSED');
  });
});

/** Sends a request and goes away: once the upstream has it, or once the response has begun. Waits until the upstream knows. */
async function leave({ port, upstream }: BreakerKit, when: 'request' | 'response'): Promise<void> {
  const position = upstream.requests.length;
  const request = httpRequest({ port, host: '127.0.0.1', path: PATH });
  request.on('error', () => undefined);
  let begun = when === 'request';
  request.on('response', (response) => {
    response.on('error', () => undefined);
    response.once('data', () => {
      begun = true;
    });
  });
  request.end();
  await until('the request to be answered', () => begun && upstream.requests.length > position);
  request.destroy();
  await until('the upstream to hear of it', () => upstream.requests[position]?.aborted === true);
}

/** Sends a chunked body, and leaves it unfinished on demand. */
async function chunkedPost(
  port: number,
  body: string,
  finish = true,
): Promise<{ readonly status: Promise<number> }> {
  const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: PATH });
  request.on('error', () => undefined);
  const status = new Promise<number>((resolve) => {
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  request.write(body);
  if (finish) request.end();
  return { status };
}
