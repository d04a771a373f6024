import { expect } from 'chai';
import { Type } from 'typebox';
import {
  type AttemptWrapper,
  definePlugin,
  GatewayError,
  type GatewayPlugin,
  type GatewayRequest,
} from '../../core/index.js';
import { expectError } from '../support/error-format.js';
import type { RawConfig, RunningGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { budgetOf, nobody, reset, useTwoTargets } from '../support/two-targets.js';
import { until } from '../support/until.js';
import { startRawUpstream } from '../support/upstream.js';

describe('retries', () => {
  const targets = useTwoTargets();

  describe('by default', () => {
    for (const method of ['GET', 'POST']) {
      it(`${method}: another target where the first refuses connections`, async () => {
        const gateway = await targets.gatewayWith(undefined, {}, [await nobody(), targets.good.url]);
        for (let i = 0; i < 10; i += 1) {
          const body = method === 'POST' ? 'hello' : '';
          const response = await request(
            gateway.port,
            method,
            '/api/v1/a/x',
            [`Content-Length: ${body.length}`],
            body,
          );
          expect(response.status).to.equal(200);
        }
        expect(targets.good.requests).to.have.length(10);
        if (method === 'POST')
          expect(targets.good.requests.map(({ bodyLength }) => bodyLength)).to.deep.equal(Array(10).fill(5));
        expect(budgetOf(gateway).retries).to.be.within(5, 10);
        expect(budgetOf(gateway).exhausted).to.equal(0);
      });
    }

    it('POST with a body that comes later: another target where the first refuses connections', async () => {
      const gateway = await targets.gatewayWith(undefined, {}, [await nobody(), targets.good.url]);
      const connection = await RawConnection.open(gateway.port);
      connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
      await until('the other target to be asked', () => targets.good.requests.length === 1);
      connection.send('world');
      const { responses } = await connection.responses(1);
      connection.destroy();
      expect(responses[0]?.status).to.equal(200);
      expect(targets.good.requests[0]?.body.toString()).to.equal('helloworld');
    });

    it('GET: another target where the first breaks off before the head', async () => {
      targets.misbehave = reset;
      const gateway = await targets.gatewayWith(undefined);
      for (let i = 0; i < 10; i += 1) {
        expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
      }
      expect(targets.bad.requests.length).to.be.within(5, 10);
    });

    for (const [method, repeated] of [
      ['PUT', true],
      ['DELETE', true],
      ['POST', false],
      ['PATCH', false],
    ] as const) {
      it(`${method}: ${repeated ? 'repeated' : 'not repeated'} once a target has seen it`, async () => {
        targets.misbehave = (req) => req.on('data', () => req.socket.resetAndDestroy());
        const gateway = await targets.gatewayWith(undefined);
        const response = await request(gateway.port, method, '/api/v1/a/x', ['Content-Length: 5'], 'hello');
        expect(response.status).to.equal(repeated ? 200 : 502);
        expect([targets.bad.requests.length, targets.good.requests.length]).to.deep.equal([
          1,
          repeated ? 1 : 0,
        ]);
        if (repeated) expect(targets.good.requests[0]?.body.toString()).to.equal('hello');
        else expectError(response);
      });
    }

    it('no status is tried again, and no time limit', async () => {
      targets.misbehave = (req, res) =>
        req.url?.includes('slow') ? undefined : res.writeHead(503).end('no');
      const gateway = await targets.gatewayWith(undefined, { timeout: { response: '100ms' } });
      expect((await request(gateway.port, 'GET', '/api/v1/a/x')).body.toString()).to.equal('no');
      expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
      expect((await request(gateway.port, 'GET', '/api/v1/a/slow')).status).to.equal(504);
      expect(targets.bad.requests).to.have.length(2);
    });

    it('a pooled connection that closes under a request is no matter, but for what must not be repeated', async () => {
      let connections = 0;
      const racing = await startRawUpstream((socket) => {
        connections += 1;
        let requests = 0;
        socket.on('data', () => {
          requests += 1;
          if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          else socket.destroy();
        });
      });
      try {
        const gateway = await targets.gatewayWith(undefined, {}, [racing.url]);
        for (let i = 0; i < 20; i += 1) {
          expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status, `request ${i}`).to.equal(200);
        }
        expect(connections).to.equal(20);
        expect(budgetOf(gateway).retries).to.equal(19);
        const post = await request(gateway.port, 'POST', '/api/v1/a/x', ['Content-Length: 1'], 'x');
        expect(post.status).to.equal(502);
      } finally {
        await racing.close();
      }
    });

    it('the only target is not asked again for what is no matter of a pooled connection', async () => {
      targets.misbehave = (req) => req.socket.destroy();
      const gateway = await targets.gatewayWith(undefined, {}, [targets.bad.url]);
      for (let i = 1; i <= 5; i += 1) {
        expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(502);
        expect(targets.bad.requests).to.have.length(i);
      }
      const refused = await targets.gatewayWith(undefined, {}, [await nobody()]);
      expect((await request(refused.port, 'GET', '/api/v1/a/x')).status).to.equal(503);
      expect(budgetOf(refused)).to.include({ retries: 0, exhausted: 0 });
    });

    it('`sameTarget` asks it again', async () => {
      targets.misbehave = (req, res) =>
        targets.bad.requests.length < 3 ? req.socket.destroy() : res.end('fine');
      const gateway = await targets.gatewayWith({ attempts: 3, sameTarget: true }, {}, [targets.bad.url]);
      expect((await request(gateway.port, 'GET', '/api/v1/a/x')).body.toString()).to.equal('fine');
    });

    it('nothing is repeated once a head went to the client', async () => {
      targets.misbehave = (req, res) => {
        res.writeHead(200, { 'content-length': 100 });
        res.write('half');
        setImmediate(() => req.socket.resetAndDestroy());
      };
      const gateway = await targets.gatewayWith(undefined);
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: a\r\n\r\n');
      const { responses } = await connection.closure();
      expect(responses[0]).to.include({ status: 200, complete: false });
      expect(targets.good.requests).to.deep.equal([]);
    });
  });

  it('a route has its own, also none', async () => {
    targets.misbehave = reset;
    const gateway = await targets.startGateway({
      services: { a: { targets: [targets.bad.url, targets.good.url], health: false, retries: false } },
      routes: [
        { id: 'once', match: { path: '/once' }, service: 'a' },
        { id: 'twice', match: { path: '/twice' }, service: 'a', retries: { attempts: 2 } },
      ],
    });
    expect((await request(gateway.port, 'GET', '/once')).status).to.equal(502);
    expect((await request(gateway.port, 'GET', '/once')).status).to.equal(200);
    expect((await request(gateway.port, 'GET', '/twice')).status).to.equal(200);
    expect([targets.bad.requests.length, targets.good.requests.length]).to.deep.equal([2, 2]);
  });

  it('the budget goes on over a reload', async () => {
    targets.misbehave = reset;
    const gateway = await targets.gatewayWith();
    await request(gateway.port, 'GET', '/api/v1/a/x');
    const budget = budgetOf(gateway);
    expect(budget.retries).to.equal(1);
    const urls = [targets.bad.url, targets.good.url, targets.good.url.replace('127.0.0.1', 'localhost')];
    const reload = (retries: RawConfig) =>
      gateway.gateway.reload({
        host: '127.0.0.1',
        port: 0,
        dataDirectory: gateway.dataDirectory,
        logging: { level: 'CRITICAL' },
        services: { a: { targets: urls, health: false, retries } },
      });
    await reload({ attempts: 3 });
    expect(budgetOf(gateway)).to.equal(budget);
    await reload({ attempts: 3, budget: { ratio: 0.5 } });
    expect(budgetOf(gateway)).not.to.equal(budget);
  });

  describe('with attempt wrappers', () => {
    let wrapped: string[];
    let attempts: number | undefined;
    let refusal: GatewayError | undefined;

    beforeEach(() => {
      wrapped = [];
      attempts = undefined;
    });

    class Wrapping implements GatewayPlugin {
      attempt(): AttemptWrapper {
        return ({ target, number }, next) => {
          wrapped.push(`${number}: ${target.url}`);
          return target.url === targets.bad.url && refusal !== undefined ? Promise.reject(refusal) : next();
        };
      }
      finished(request: GatewayRequest): void {
        if (request.isExchange()) attempts = request.attempts;
      }
    }

    async function wrappedGateway(): Promise<RunningGateway> {
      const wrapping = definePlugin({
        name: 'wrapping',
        summary: 'For this test.',
        options: Type.Object({}),
        plugin: Wrapping,
      });
      const gateway = await targets.startGateway(
        {
          services: { a: { targets: [targets.bad.url, targets.good.url], health: false } },
          plugins: ['wrapping'],
        },
        { catalogue: { wrapping: async () => ({ default: wrapping }) } },
      );
      return gateway;
    }

    it('they run around each attempt, which is numbered', async () => {
      targets.misbehave = reset;
      refusal = undefined;
      const gateway = await wrappedGateway();
      expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
      expect(wrapped).to.deep.equal([`1: ${targets.bad.url}`, `2: ${targets.good.url}`]);
      await until('the request to be over', () => attempts === 2);
    });

    it('a refusal ends it', async () => {
      refusal = new GatewayError('SERVICE_UNAVAILABLE');
      const gateway = await wrappedGateway();
      expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(503);
      expect(wrapped).to.have.length(1);
      expect(targets.good.requests).to.deep.equal([]);
    });

    it('a refusal of one target leads to another, whatever the method, and counts as no attempt', async () => {
      refusal = new GatewayError('SERVICE_UNAVAILABLE', { anotherTarget: true });
      const gateway = await wrappedGateway();
      const response = await request(gateway.port, 'POST', '/api/v1/a/x', ['Content-Length: 5'], 'hello');
      expect(response.status).to.equal(200);
      expect(wrapped).to.deep.equal([`1: ${targets.bad.url}`, `1: ${targets.good.url}`]);
      await until('the request to be over', () => attempts === 1);
      expect(budgetOf(gateway).retries).to.equal(0);
    });
  });
});
