import { connect as connectHttp2 } from 'node:http2';
import { expect } from 'chai';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection } from '../support/raw-client.js';
import { handshake } from '../support/tls-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const LIMIT = '200ms';

describe('time limits towards TLS clients', () => {
  let authority: Authority;
  let certificate: Certificate;
  let upstream: Upstream;

  before(async function () {
    this.timeout(20_000);
    authority = await createAuthority();
    certificate = await authority.issue('gateway', ['localhost']);
    upstream = await startUpstream();
  });
  after(async () => {
    await upstream.close();
    await authority.discard();
  });

  for (const http2 of [true, false]) {
    describe(`http2: ${http2}`, () => {
      let gateway: RunningGateway;

      before(async () => {
        gateway = await startGateway({
          services: { a: service(upstream.url) },
          tls: { ...certificate, http2 },
          limits: { headersTimeout: LIMIT, keepAlive: LIMIT, bodyTimeout: LIMIT },
        });
      });
      after(() => gateway.stop());

      const opened: RawConnection[] = [];
      afterEach(() => {
        for (const connection of opened.splice(0)) connection.destroy();
      });

      async function open(): Promise<RawConnection> {
        const connection = RawConnection.over(await handshake(gateway.port, { ALPNProtocols: ['http/1.1'] }));
        opened.push(connection);
        return connection;
      }

      it('a handshake that does not come', async () => {
        const connection = await RawConnection.open(gateway.port);
        opened.push(connection);
        await connection.closure();
      });

      it('a head that does not come', async () => {
        const connection = await open();
        connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: gate');
        const { responses } = await connection.closure();
        for (const response of responses) expect(response.status).to.equal(408);
      });

      it('a body that does not come', async () => {
        const connection = await open();
        connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n\r\n');
        const { responses } = await connection.closure();
        expect(responses[0]?.status).to.equal(408);
      });

      it('an idle connection', async () => {
        const connection = await open();
        connection.send('GET /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
        const { responses } = await connection.closure();
        expect(responses.map((response) => response.status)).to.deep.equal([200]);
      });

      if (http2) {
        it('an idle HTTP/2 session', async () => {
          const session = connectHttp2(`https://localhost:${gateway.port}`, { rejectUnauthorized: false });
          session.on('error', () => undefined);
          try {
            await until('the session to be closed', () => session.closed || session.destroyed);
          } finally {
            session.destroy();
          }
        });
      }
    });
  }
});
