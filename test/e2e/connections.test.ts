import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request, sendRaw } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

describe('connections', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    gateway = await startGateway({ services: { a: service(upstream.url) } });
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.requests.length = 0;
  });

  it('keeps the client’s connection open from request to request', async () => {
    const connection = await RawConnection.open(gateway.port);
    for (let i = 1; i <= 3; i += 1) {
      connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 2\r\n\r\nok');
      await connection.responses(i);
    }
    expect(connection.closed).to.equal(false);
    connection.destroy();
  });

  it('uses the upstream’s connections again', async () => {
    for (let i = 0; i < 5; i += 1) await request(gateway.port, 'GET', '/api/v1/a/x');
    expect(new Set(upstream.requests.map((r) => r.connection)).size).to.equal(1);
  });

  it('answers pipelined requests in their order, however long each takes', async () => {
    const ask = (target: string, extra = '') =>
      `GET /api/v1/a/${target} HTTP/1.1\r\nHost: gateway.test\r\n${extra}\r\n`;
    const { responses } = await sendRaw(
      gateway.port,
      ask('slow?ms=60') + ask('empty') + ask('chunked', 'Connection: close\r\n'),
    );
    expect(responses.map((response) => response.body.toString())).to.deep.equal([
      'late',
      '',
      'one,two,three',
    ]);
  });

  const SECOND = 'GET /api/v1/a/second HTTP/1.1\r\nHost: gateway.test\r\n\r\n';
  const urls = () => upstream.requests.map((r) => r.url);

  it('serves nothing behind a request that ends the connection (RFC 9112 section 9.6)', async () => {
    const first = 'GET /api/v1/a/slow?ms=50 HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n';
    const { responses } = await sendRaw(gateway.port, first + SECOND);
    expect(responses.map((response) => `${response.status} ${response.body}`)).to.deep.equal(['200 late']);
    expect(urls()).to.deep.equal(['/api/v1/slow?ms=50']);
  });

  it('serves what is behind a refused request and says so, or does neither', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send(`GET /api/v1/a/../x HTTP/1.1\r\nHost: gateway.test\r\n\r\n${SECOND}`);
    const { responses } = await connection.responses(2);
    connection.destroy();
    expect(responses[0]?.status).to.equal(400);
    expect(urls()).to.deep.equal(responses.length === 2 ? ['/api/v1/second'] : []);
  });

  it('never answers a request with an error that the bytes behind it deserve', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send('GET /api/v1/a/slow?ms=50 HTTP/1.1\r\nHost: gateway.test\r\n\r\n\0garbage\r\n\r\n');
    const { responses } = await connection.closure();
    expect(responses[0]?.status).to.be.oneOf([undefined, 200]);
    if (responses.length > 1) expect(responses.map((response) => response.status)).to.deep.equal([200, 400]);
    await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
  });

  it('answers while the request body is still on its way', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send(
      'POST /api/v1/a/status/401 HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1000\r\n\r\nfirst',
    );
    const { responses } = await connection.responses(1);
    expect(responses[0]?.status).to.equal(401);
    connection.destroy();
    await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
  });
});
