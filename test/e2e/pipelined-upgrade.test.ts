import { connect } from 'node:net';
import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

describe('behind a request that is being answered', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;
  let answer: () => void;

  beforeEach(async () => {
    upstream = await startUpstream((_req, res) => {
      answer = () => res.end('x'.repeat(200_000));
    });
    gateway = await startGateway({ services: { a: service(upstream.url) } });
  });

  afterEach(async () => {
    await gateway.stop();
    await upstream.close();
  });

  for (const [name, behind] of [
    ['a WebSocket', 'GET /ws/a/y HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['h2c', 'GET /api/v1/a/y HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'],
  ] as const) {
    it(`${name} is void, and takes nothing from the request before`, async () => {
      const socket = connect(gateway.port, '127.0.0.1');
      let received = '';
      let ended = false;
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
      });
      socket.on('close', () => {
        ended = true;
      });
      socket.write(`GET /api/v1/a/x HTTP/1.1\r\nHost: a\r\n\r\n${behind}`);
      await until('the first request at the upstream', () => upstream.requests.length > 0);
      answer();
      await until('the end of the connection', () => ended);
      expect(received.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 200']);
      expect(received.replace(/[^x]/g, '').length).to.be.at.least(200_000);
      expect(upstream.requests).to.have.length(1);
    });
  }
});
