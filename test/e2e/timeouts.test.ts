import { expect } from 'chai';
import { expectError } from '../support/error-format.js';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { startRawUpstream, startUpstream, type Upstream } from '../support/upstream.js';

const LIMIT = '200ms';
/** Timers and a busy machine: no limit is kept to the millisecond. What matters is that it is not the default. */
const SLACK = 1500;
const ask = (target: string) => `GET /api/v1/a/${target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n`;

describe('time limits', () => {
  let upstream: Upstream;
  const gateways: RunningGateway[] = [];

  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.close());
  afterEach(async () => {
    await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  });

  async function gatewayWith(
    timeout: RawConfig,
    limits: RawConfig = {},
    url = upstream.url,
  ): Promise<RunningGateway> {
    const gateway = await startGateway({ services: { a: service(url, { timeout }) }, limits });
    gateways.push(gateway);
    return gateway;
  }

  async function within<T>(work: Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work;
    expect(performance.now() - started).to.be.within(150, 200 + SLACK);
    return result;
  }

  const atRest = () => until('the upstream to be at rest', () => upstream.activeRequests() === 0);

  describe('towards the upstream', () => {
    it('connect: TLS included', async () => {
      // It takes connections, and never says a word of TLS.
      const silent = await startRawUpstream((socket) => socket.resume());
      const gateway = await gatewayWith({ connect: LIMIT }, {}, silent.url.replace('http:', 'https:'));
      const response = await within(request(gateway.port, 'GET', '/api/v1/a/x'));
      expect(response.status).to.be.oneOf([502, 504]);
      expectError(response);
      await until('the connection to be given up', () => silent.openSockets() === 0);
      await silent.close();
    });

    it('the head of the response: 504', async () => {
      const gateway = await gatewayWith({ response: LIMIT });
      const response = await within(request(gateway.port, 'GET', '/api/v1/a/slow'));
      expect(response.status).to.equal(504);
      expect(expectError(response)).to.equal('GATEWAY_TIMEOUT');
      await atRest();
    });

    it('the head of the response, not a second later', async () => {
      const gateway = await gatewayWith({ response: LIMIT });
      await request(gateway.port, 'GET', '/api/v1/a/x');
      const started = performance.now();
      expect((await request(gateway.port, 'GET', '/api/v1/a/slow')).status).to.equal(504);
      expect(performance.now() - started).to.be.within(195, 600);
      await atRest();
    });

    it('the head of the response, to a request with a body: 504', async () => {
      const gateway = await gatewayWith({ response: LIMIT });
      const response = await request(gateway.port, 'POST', '/api/v1/a/slow', ['Content-Length: 5'], 'hello');
      expect(response.status).to.equal(504);
      await atRest();
    });

    it('between two chunks: the response is broken off', async () => {
      const gateway = await gatewayWith({ idle: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send(ask('stall'));
      await connection.received('xxxxxxxxxx');
      const { responses } = await within(connection.closure());
      expect(responses[0]).to.include({ status: 200, complete: false });
      await atRest();
    });

    it('between two chunks: a slow and steady body passes', async () => {
      const gateway = await gatewayWith({ idle: '300ms' });
      const response = await request(gateway.port, 'GET', '/api/v1/a/sse?count=10&ms=60');
      expect(response).to.include({ status: 200, complete: true });
    });

    it('total, before the head: 504', async () => {
      const gateway = await gatewayWith({ total: LIMIT });
      const response = await within(request(gateway.port, 'GET', '/api/v1/a/slow'));
      expect(response.status).to.equal(504);
      await atRest();
    });

    it('total, in the body: the response is broken off, however steady it is', async () => {
      const gateway = await gatewayWith({ total: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send(ask('sse?count=100000&ms=20'));
      const { responses } = await within(connection.closure());
      expect(responses[0]).to.include({ status: 200, complete: false });
      await atRest();
    });

    it('0 is no limit', async () => {
      const gateway = await gatewayWith({ connect: 0, response: 0, idle: 0, total: 0 });
      expect((await request(gateway.port, 'GET', '/api/v1/a/slow?ms=100')).body.toString()).to.equal('late');
      expect((await request(gateway.port, 'GET', '/api/v1/a/stall?ms=100')).body.toString()).to.equal(
        'xxxxxxxxxxlate',
      );
    });

    it('one request’s time being up leaves the others alone', async () => {
      const gateway = await gatewayWith({ response: LIMIT });
      const statuses = await Promise.all(
        ['slow', 'slow?ms=20', 'slow', 'x', 'slow?ms=50'].map(
          async (target) => (await request(gateway.port, 'GET', `/api/v1/a/${target}`)).status,
        ),
      );
      expect(statuses).to.deep.equal([504, 200, 504, 200, 200]);
      await atRest();
    });
  });

  describe('towards the client', () => {
    it('a head that does not come: 408', async () => {
      const gateway = await gatewayWith({}, { headersTimeout: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: gate');
      const { responses } = await within(connection.closure());
      expect(responses[0]?.status).to.equal(408);
      expect(expectError(responses[0])).to.equal('REQUEST_TIMEOUT');
    });

    it('a head that drips: 408', async () => {
      const gateway = await gatewayWith({}, { headersTimeout: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\n');
      const drip = setInterval(() => connection.send('X: y\r\n'), 30);
      try {
        const { responses } = await within(connection.closure());
        expect(responses[0]?.status).to.equal(408);
      } finally {
        clearInterval(drip);
        connection.destroy();
      }
    });

    it('a connection on which nothing comes is closed', async () => {
      const gateway = await gatewayWith({}, { headersTimeout: LIMIT, keepAlive: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      const { responses } = await within(connection.closure());
      for (const response of responses) expect(response.status).to.equal(408);
    });

    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      it(`a body that does not come (${framing}): 408`, async () => {
        const gateway = await gatewayWith({}, { bodyTimeout: LIMIT });
        const connection = await RawConnection.open(gateway.port);
        connection.send(
          `POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\n${framing}\r\n\r\n5\r\nhello\r\n`,
        );
        const { responses } = await within(connection.closure());
        expect(responses[0]?.status).to.equal(408);
        expect(expectError(responses[0])).to.equal('REQUEST_TIMEOUT');
        await atRest();
        expect(upstream.requests.at(-1)?.complete).to.equal(false);
      });
    }

    it('a slow and steady body passes', async () => {
      const gateway = await gatewayWith({}, { bodyTimeout: '300ms', headersTimeout: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 10\r\n\r\n');
      let sent = 0;
      const drip = setInterval(() => {
        if (sent < 10) connection.send('x');
        sent += 1;
      }, 60);
      try {
        const { responses } = await connection.responses(1);
        expect(responses[0]?.status).to.equal(200);
      } finally {
        clearInterval(drip);
        connection.destroy();
      }
    });

    it('a body that the upstream is slow to take is not the client’s fault', async () => {
      const gateway = await gatewayWith({}, { bodyTimeout: LIMIT });
      const response = await request(
        gateway.port,
        'POST',
        '/api/v1/a/slow?ms=600',
        ['Content-Length: 5'],
        'hello',
      );
      expect(response.status).to.equal(200);
    });

    it('an idle connection is closed, without a word', async () => {
      const gateway = await gatewayWith({}, { keepAlive: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      connection.send(ask('x'));
      await connection.responses(1);
      const { responses } = await within(connection.closure());
      expect(responses).to.have.length(1);
    });

    it('a connection that is used is not idle', async () => {
      const gateway = await gatewayWith({}, { keepAlive: LIMIT });
      const connection = await RawConnection.open(gateway.port);
      for (let i = 1; i <= 5; i += 1) {
        connection.send(ask('slow?ms=100'));
        await connection.responses(i);
      }
      expect(connection.closed).to.equal(false);
      connection.destroy();
    });
  });

  it('more connections than the limit are turned away, and let in when one has gone', async () => {
    const gateway = await gatewayWith({}, { connections: 2 });
    const first = await RawConnection.open(gateway.port);
    const second = await RawConnection.open(gateway.port);
    for (const connection of [first, second]) {
      connection.send(ask('x'));
      await connection.responses(1);
    }
    const third = await RawConnection.open(gateway.port);
    third.send(ask('x'));
    const { responses } = await third.closure();
    for (const response of responses) expect(response.status).to.equal(503);
    first.destroy();
    await until('a free place', async () => {
      const next = await RawConnection.open(gateway.port);
      next.send(ask('x'));
      const { responses: got } = await next.responses(1);
      next.destroy();
      return got[0]?.status === 200;
    });
    second.destroy();
  });
});
