import { expect } from 'chai';
import { expectError, expectNoInternals } from '../support/error-format.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request, sendRaw } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { answering, startRawUpstream, startUpstream, type Upstream } from '../support/upstream.js';

describe('error responses', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    const gone = await startUpstream();
    await gone.close();
    gateway = await startGateway({
      services: {
        a: service(upstream.url),
        gone: service(gone.url),
        slow: service(upstream.url, { timeout: { response: '100ms' } }),
      },
      routes: [{ id: 'quotes', match: { path: '/q/:symbol', methods: ['GET', 'PUT'] }, service: 'a' }],
      limits: { body: 10 },
    });
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  const rows: readonly [
    name: string,
    method: string,
    target: string,
    status: number,
    codes: readonly string[],
  ][] = [
    ['no route', 'GET', '/nowhere', 404, ['ROUTE_NOT_FOUND']],
    ['no such service', 'GET', '/api/v1/nobody/x', 404, ['SERVICE_NOT_FOUND', 'ROUTE_NOT_FOUND']],
    ['a method that no route takes', 'POST', '/q/x', 405, ['METHOD_NOT_ALLOWED']],
    ['a bad path', 'GET', '/api/v1/a/../b', 400, ['BAD_REQUEST']],
    ['an upstream that is not there', 'GET', '/api/v1/gone/x', 503, ['SERVICE_UNAVAILABLE']],
    ['an upstream that does not answer in time', 'GET', '/api/v1/slow/slow', 504, ['GATEWAY_TIMEOUT']],
  ];
  it('leave the connection open where no body of the request is still to come', async () => {
    const connection = await RawConnection.open(gateway.port);
    for (const target of ['/nowhere', '/q/x/y', '/api/v1/a/empty'])
      connection.send(`GET ${target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n`);
    const { responses } = await connection.responses(3);
    expect(responses.map(({ status }) => status)).to.deep.equal([404, 404, 200]);
    expect(responses[0]?.header('connection')).to.equal('keep-alive');
  });

  for (const [name, method, target, status, codes] of rows) {
    it(`${status} for ${name}`, async () => {
      const response = await request(gateway.port, method, target);
      expect(response.status).to.equal(status);
      expect(codes).to.include(expectError(response));
      expect(response.json().request_id).to.equal(response.header('x-request-id'));
    });

    it(`${status} for ${name}, as a problem (RFC 9457)`, async () => {
      const response = await request(gateway.port, method, target, ['Accept: application/problem+json']);
      expect(response.status).to.equal(status);
      expect(response.header('content-type')).to.match(/^application\/problem\+json/);
      const problem = response.json();
      expect(problem.status).to.equal(status);
      expect(problem.title).to.be.a('string').and.not.equal('');
      expect(problem.code).to.be.oneOf([...codes]);
      expect(problem.request_id).to.equal(response.header('x-request-id'));
      if (problem.type !== undefined) expect(problem.type).to.be.a('string');
      expectNoInternals(response);
    });
  }

  it('have no body in answer to HEAD', async () => {
    const response = await request(gateway.port, 'HEAD', '/nowhere');
    expect(response.status).to.equal(404);
  });

  it('prefer what the client likes better', async () => {
    const preferring = (accept: string) => request(gateway.port, 'GET', '/nowhere', [`Accept: ${accept}`]);
    for (const accept of [
      '*/*',
      'application/json',
      'text/html',
      'application/json, application/problem+json;q=0.5',
    ]) {
      expect((await preferring(accept)).header('content-type'), accept).to.match(/^application\/json/);
    }
    const both = await preferring('application/problem+json, application/json;q=0.5');
    expect(both.header('content-type')).to.match(/^application\/problem\+json/);
  });

  it('405 names the methods', async () => {
    const response = await request(gateway.port, 'DELETE', '/q/x');
    const allowed = (response.header('allow') ?? '').split(/,\s*/).sort();
    expect(allowed).to.include.members(['GET', 'PUT']).and.not.include('DELETE');
  });

  it('413 for a length beyond the limit, before any of the body is asked for', async () => {
    const response = await request(
      gateway.port,
      'POST',
      '/api/v1/a/x',
      ['Content-Length: 11'],
      '12345678901',
    );
    expect(response.status).to.equal(413);
    expect(expectError(response)).to.equal('PAYLOAD_TOO_LARGE');
    expect(upstream.requests).to.deep.equal([]);
  });

  it('413 for a length beyond the limit, though nothing of the body comes', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 11\r\n\r\n');
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses[0]?.status).to.equal(413);
    expect(upstream.requests).to.deep.equal([]);
  });

  it('413 for chunks beyond the limit, and the upstream never gets a whole request', async () => {
    const response = await request(
      gateway.port,
      'POST',
      '/api/v1/a/x',
      ['Transfer-Encoding: chunked'],
      '8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n',
    );
    expect(response.status).to.equal(413);
    await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
    expect(upstream.requests.filter((r) => r.complete)).to.deep.equal([]);
  });

  it('a body of just the limit passes', async () => {
    const response = await request(gateway.port, 'POST', '/api/v1/a/x', ['Content-Length: 10'], '1234567890');
    expect(response.status).to.equal(200);
  });

  it('503 at once when no target is healthy, and recovery by itself', async () => {
    let healthy = false;
    const sick = await startUpstream((req, res) => {
      res.writeHead(req.url === '/health' && !healthy ? 500 : 200);
      res.end();
    });
    const health = { path: '/health', interval: '50ms', timeout: '1s', fall: 1, rise: 1 };
    const own = await startGateway({ services: { a: { targets: [sick.url], health } } });
    try {
      const status = async () => (await request(own.port, 'GET', '/api/v1/a/x')).status;
      await until('the target to be found unhealthy', async () => (await status()) === 503);
      expect(expectError(await request(own.port, 'GET', '/api/v1/a/x'))).to.equal('SERVICE_UNAVAILABLE');
      healthy = true;
      await until('the target to be found healthy again', async () => (await status()) === 200);
    } finally {
      await own.stop();
      await sick.close();
    }
  });

  describe('for what an upstream must not send', () => {
    const answers: readonly [name: string, bytes: string][] = [
      ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
      [
        'both Content-Length and Transfer-Encoding',
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ],
      [
        'two different Content-Lengths',
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
      ],
      ['a Content-Length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello'],
      ['a space before the colon', 'HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
      ['NUL in a field', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
      ['bare CR in a field', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n'],
      [
        '101 nobody asked for',
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
      ],
      ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
      ['fields without end', `HTTP/1.1 200 OK\r\n${'X: aaaaaaaaaaaaaaaa\r\n'.repeat(20_000)}\r\n`],
    ];
    for (const [name, bytes] of answers) {
      it(`502 for ${name}`, async () => {
        const bad = await startRawUpstream(answering(bytes, 'end'));
        const own = await startGateway({ services: { a: service(bad.url) } });
        try {
          const response = await request(own.port, 'GET', '/api/v1/a/x');
          expect(response.status).to.equal(502);
          expectError(response);
        } finally {
          await own.stop();
          await bad.close();
        }
      });
    }

    it('a second response is nobody’s', async () => {
      const poison = 'HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison';
      const bad = await startRawUpstream(
        answering(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`),
      );
      const own = await startGateway({ services: { a: service(bad.url, { pool: { connections: 1 } }) } });
      const connection = await RawConnection.open(own.port);
      try {
        for (let i = 1; i <= 5; i += 1) {
          connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
          await connection.responses(i);
        }
        expect(connection.text).not.to.match(/poison/i);
      } finally {
        connection.destroy();
        await own.stop();
        await bad.close();
      }
    });
  });

  it('leak nothing and stay up under garbage', async () => {
    for (const bytes of [
      '\r\n\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
      '{"json": true}\r\n\r\n',
      'GET',
      '\x80\x81\x82\r\n\r\n',
    ]) {
      const connection = await RawConnection.open(gateway.port);
      connection.send(bytes);
      connection.socket.end();
      await connection.closure();
      for (const response of connection.result.responses) expectError(response);
    }
    const { responses } = await sendRaw(
      gateway.port,
      'GET /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n',
    );
    expect(responses[0]?.status).to.equal(200);
  });
});
