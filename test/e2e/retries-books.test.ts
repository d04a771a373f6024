import { expect } from 'chai';
import { Type } from 'typebox';
import { type AttemptWrapper, definePlugin, GatewayError } from '../../core/index.js';
import { type RawConfig, type RunningGateway, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream, type UpstreamHandler } from '../support/upstream.js';

/** What attempts leave in the books of ejection and of limits on concurrency. */
describe('the books of attempts', () => {
  let misbehave: UpstreamHandler;
  let good: Upstream;
  let bad: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    good = await startUpstream();
    bad = await startUpstream((req, res, recorded) => misbehave(req, res, recorded));
  });
  after(async () => {
    await good.close();
    await bad.close();
  });
  beforeEach(() => {
    good.requests.length = 0;
    bad.requests.length = 0;
  });
  afterEach(() => gateway.stop());

  async function start(settings: RawConfig, rest: RawConfig = {}, options = {}): Promise<void> {
    gateway = await startGateway({ services: { a: { health: false, ...settings } }, ...rest }, options);
  }

  function serviceA() {
    const service = gateway.gateway.services.get('a');
    if (service === undefined) throw new Error('There is no service');
    return service;
  }

  const ask = (method = 'GET') => request(gateway.port, method, '/api/v1/a/x', ['Content-Length: 0']);
  const reset: UpstreamHandler = (req) => req.socket.resetAndDestroy();
  const hang: UpstreamHandler = () => undefined;

  describe('of ejection', () => {
    const outlierEjection = { consecutiveFailures: 3, baseTime: '1m' };
    const ejected = () => serviceA().targets[0]?.ejected;

    it('failures count, also those that a retry makes up for', async () => {
      misbehave = reset;
      await start({ targets: [bad.url, good.url], outlierEjection });
      for (let i = 0; i < 8; i += 1) expect((await ask()).status).to.equal(200);
      expect(ejected()).to.equal(true);
      expect(bad.requests).to.have.length(3);
    });

    for (const [status, counts] of [
      [500, true],
      [503, true],
      [404, false],
      [429, false],
    ] as const) {
      it(`${status} ${counts ? 'counts' : 'does not count'}`, async () => {
        misbehave = (_req, res) => res.writeHead(status).end();
        await start({ targets: [bad.url, good.url], outlierEjection });
        for (let i = 0; i < 10; i += 1) await ask('POST');
        expect(ejected()).to.equal(counts);
      });
    }

    it('time limits count', async () => {
      misbehave = hang;
      const retries = { perTryTimeout: '50ms' };
      await start({ targets: [bad.url, good.url], outlierEjection, retries });
      for (let i = 0; i < 8; i += 1) expect((await ask()).status).to.equal(200);
      expect(ejected()).to.equal(true);
    });

    it('clients that leave do not count', async () => {
      misbehave = hang;
      await start({ targets: [bad.url, good.url], outlierEjection });
      for (let i = 1; i <= 5; i += 1) {
        while (bad.requests.length < i) {
          const connection = await RawConnection.open(gateway.port);
          const seen = good.requests.length + bad.requests.length;
          connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: a\r\n\r\n');
          await until('an upstream to be asked', () => good.requests.length + bad.requests.length > seen);
          connection.destroy();
        }
      }
      await until('all attempts to be over', () => serviceA().targets.every(({ active }) => active === 0));
      expect(ejected()).to.equal(false);
    });
  });

  describe('of limits on concurrency', () => {
    const concurrency = { limit: 1, queue: 0 };
    const inFlight = () => serviceA().admission?.inFlight;

    it('what is over the limit is refused, and each attempt makes room once', async () => {
      misbehave = hang;
      await start({ targets: [bad.url], concurrency });
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: a\r\n\r\n');
      await until('the target to be asked', () => bad.requests.length === 1);
      expect(inFlight()).to.equal(1);
      const refused = await ask();
      expect(refused.status).to.equal(503);
      expect(refused.header('retry-after')).to.equal('1');
      connection.destroy();
      await until('it to make room', () => inFlight() === 0);
      misbehave = (_req, res) => res.end('fine');
      for (let i = 0; i < 3; i += 1) {
        expect((await ask()).status).to.equal(200);
        await until('it to make room', () => inFlight() === 0);
      }
    });

    it('what waits in the queue goes on when there is room', async () => {
      const waiting: (() => void)[] = [];
      misbehave = (_req, res) => waiting.push(() => res.end('fine'));
      await start({ targets: [bad.url], concurrency: { limit: 1, queue: 5, maxWait: '5s' } });
      const responses = [ask(), ask(), ask('POST')];
      for (let i = 0; i < 3; i += 1) {
        await until('one to be asked', () => waiting.length === 1);
        expect(inFlight()).to.equal(1);
        waiting.pop()?.();
      }
      expect((await Promise.all(responses)).map(({ status }) => status)).to.deep.equal([200, 200, 200]);
      await until('all to make room', () => inFlight() === 0);
    });

    it('attempts that fail make room for the next', async () => {
      misbehave = reset;
      await start({ targets: [bad.url, good.url], concurrency });
      for (let i = 0; i < 5; i += 1) {
        expect((await ask()).status).to.equal(200);
        await until('it to make room', () => inFlight() === 0);
      }
    });

    it('a response that is discarded makes room for the next', async () => {
      misbehave = (_req, res) => res.writeHead(503).end('no');
      await start({ targets: [bad.url, good.url], concurrency, retries: { on: [503] } });
      for (let i = 0; i < 5; i += 1) {
        expect((await ask()).status).to.equal(200);
        await until('it to make room', () => inFlight() === 0);
      }
    });

    it('an attempt that a wrapper refuses makes room', async () => {
      class Refusing {
        attempt(): AttemptWrapper {
          return () => Promise.reject(new GatewayError('SERVICE_UNAVAILABLE'));
        }
      }
      const refusing = definePlugin({
        name: 'refusing',
        summary: 'For this test.',
        options: Type.Object({}),
        plugin: Refusing,
      });
      const catalogue = { refusing: async () => ({ default: refusing }) };
      await start({ targets: [good.url], concurrency }, { plugins: ['refusing'] }, { catalogue });
      expect((await ask()).status).to.equal(503);
      expect(inFlight()).to.equal(0);
      expect(good.requests).to.deep.equal([]);
    });

    it('the limit of a service holds over its retries with bodies', async () => {
      misbehave = (req) => req.on('data', () => req.socket.resetAndDestroy());
      await start({ targets: [bad.url, good.url], concurrency });
      for (let i = 0; i < 4; i += 1) {
        const response = await request(gateway.port, 'PUT', '/api/v1/a/x', ['Content-Length: 5'], 'hello');
        expect(response.status).to.equal(200);
        await until('it to make room', () => inFlight() === 0);
      }
    });
  });
});
