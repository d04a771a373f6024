import { expect } from 'chai';
import { expectError } from '../support/error-format.js';
import { RawConnection, request } from '../support/raw-client.js';
import { useTwoTargets } from '../support/two-targets.js';
import { until } from '../support/until.js';
import type { UpstreamHandler } from '../support/upstream.js';

describe('retries and time', () => {
  const targets = useTwoTargets();

  const hang: UpstreamHandler = () => undefined;

  async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
    const started = performance.now();
    const result = await work;
    return { result, ms: performance.now() - started };
  }

  it('an attempt that takes longer than its limit is given up, and another made', async () => {
    targets.misbehave = hang;
    const gateway = await targets.gatewayWith({ perTryTimeout: '150ms' });
    const { result, ms } = await timed(request(gateway.port, 'GET', '/api/v1/a/x'));
    expect(result.status).to.equal(200);
    expect(ms).to.be.within(140, 1500);
    await until('the first attempt to be cancelled', () => targets.bad.activeRequests() === 0);
  });

  it('the limit of an attempt ends with the head', async () => {
    targets.misbehave = (_req, res) => {
      res.writeHead(200);
      res.flushHeaders();
      setTimeout(() => res.end('late'), 400);
    };
    const gateway = await targets.gatewayWith({ perTryTimeout: '150ms' }, {}, [targets.bad.url]);
    const response = await request(gateway.port, 'GET', '/api/v1/a/x');
    expect([response.status, response.body.toString()]).to.deep.equal([200, 'late']);
  });

  it('`timeout` in `on` repeats what ran into the limit of the service', async () => {
    targets.misbehave = hang;
    const gateway = await targets.gatewayWith({ on: ['timeout'] }, { timeout: { response: '100ms' } });
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
  });

  it('the limit on the whole holds over all attempts', async () => {
    targets.misbehave = hang;
    const gateway = await targets.gatewayWith(
      { attempts: 10, perTryTimeout: '100ms' },
      { timeout: { total: '350ms' } },
      [targets.bad.url],
    );
    const { result, ms } = await timed(request(gateway.port, 'GET', '/api/v1/a/x'));
    expect(result.status).to.equal(504);
    expect(expectError(result)).to.equal('GATEWAY_TIMEOUT');
    expect(ms).to.be.within(200, 1500);
    expect(targets.bad.requests.length).to.be.within(2, 4);
  });

  it('an attempt that never got a connection leaves the body to the next', async () => {
    targets.misbehave = hang;
    const gateway = await targets.startGateway({
      services: {
        a: {
          targets: [targets.bad.url, targets.good.url],
          health: false,
          pool: { connections: 1 },
          retries: { perTryTimeout: '150ms' },
        },
      },
      routes: [{ id: 'held', match: { path: '/held' }, service: 'a', retries: { perTryTimeout: 0 } }],
    });
    const first = await RawConnection.open(gateway.port);
    first.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the connection to be taken', () => targets.bad.requests.length === 1);
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
    const second = await RawConnection.open(gateway.port);
    second.send('POST /api/v1/a/second HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await until('the other target to be asked', () =>
      targets.good.requests.some(({ url }) => url.endsWith('second')),
    );
    // The first connection is free again: the attempt that was given up is taken off its queue.
    first.destroy();
    await until('the connection to be given up', () => targets.bad.activeRequests() === 0);
    second.send('world');
    const { responses } = await second.responses(1);
    second.destroy();
    expect(responses[0]?.status).to.equal(200);
    expect(targets.good.requests.at(-1)?.body.toString()).to.equal('helloworld');
  });
});
