import { expect } from 'chai';
import type { RunningGateway } from '../support/gateway.js';
import { RawConnection } from '../support/raw-client.js';
import { nobody, useTwoTargets } from '../support/two-targets.js';
import { until } from '../support/until.js';
import type { UpstreamHandler } from '../support/upstream.js';

describe('retries of requests with bodies', () => {
  const targets = useTwoTargets();

  const CHUNKS = 8;
  const CHUNK = 'x'.repeat(8192);

  /** Sends a body in pieces, so that it is never there in full when the first attempt begins. */
  async function upload(gateway: RunningGateway, method: string, framing: 'length' | 'chunked') {
    const connection = await RawConnection.open(gateway.port);
    const field =
      framing === 'length' ? `Content-Length: ${CHUNKS * CHUNK.length}` : 'Transfer-Encoding: chunked';
    connection.send(`${method} /api/v1/a/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${field}\r\n\r\n`);
    for (let i = 0; i < CHUNKS; i += 1) {
      connection.send(framing === 'length' ? CHUNK : `${CHUNK.length.toString(16)}\r\n${CHUNK}\r\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (framing === 'chunked') connection.send('0\r\n\r\n');
    const { responses } = await connection.responses(1);
    connection.destroy();
    return responses[0];
  }

  /** Takes half of the body before it breaks off. */
  const breakInBody: UpstreamHandler = (req, _res, recorded) =>
    req.on('data', () => {
      if (recorded.bodyLength > (CHUNKS * CHUNK.length) / 2) req.socket.resetAndDestroy();
    });

  for (const framing of ['length', 'chunked'] as const) {
    it(`they are sent again in full (${framing})`, async () => {
      targets.misbehave = breakInBody;
      const gateway = await targets.gatewayWith({ bufferLimit: '64kb' });
      const response = await upload(gateway, 'PUT', framing);
      expect(response?.status).to.equal(200);
      expect(targets.good.requests[0]).to.include({
        bodyLength: CHUNKS * CHUNK.length,
        complete: true,
        framing,
      });
    });

    it(`beyond the limit they are not (${framing})`, async () => {
      targets.misbehave = breakInBody;
      const gateway = await targets.gatewayWith({ bufferLimit: '16kb' });
      expect((await upload(gateway, 'PUT', framing))?.status).to.equal(502);
      expect(targets.good.requests).to.deep.equal([]);
    });

    it(`beyond the limit they are, as long as nothing was sent (${framing})`, async () => {
      const gateway = await targets.gatewayWith({ bufferLimit: '1kb' }, {}, [
        await nobody(),
        targets.good.url,
      ]);
      expect((await upload(gateway, 'PUT', framing))?.status).to.equal(200);
      expect(targets.good.requests[0]).to.include({ bodyLength: CHUNKS * CHUNK.length, complete: true });
    });
  }

  it('one that the target answered before it had come in full', async () => {
    targets.misbehave = (_req, res) => res.writeHead(503).end();
    const gateway = await targets.gatewayWith({ on: [503] });
    expect((await upload(gateway, 'PUT', 'chunked'))?.status).to.equal(200);
    expect(targets.good.requests[0]).to.include({ bodyLength: CHUNKS * CHUNK.length, complete: true });
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    it(`${method} where it is opted in`, async () => {
      targets.misbehave = breakInBody;
      const gateway = await targets.gatewayWith({ methods: [method] });
      expect((await upload(gateway, method, 'chunked'))?.status).to.equal(200);
    });
  }

  it('a client that leaves in the middle ends it', async () => {
    targets.misbehave = (req) => req.socket.resetAndDestroy();
    const gateway = await targets.gatewayWith({ attempts: 3 });
    const connection = await RawConnection.open(gateway.port);
    connection.send('PUT /api/v1/a/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    await until('the second attempt', () => targets.good.requests.length === 1);
    connection.destroy();
    await until('the second attempt to end', () => targets.good.activeRequests() === 0);
    expect(targets.good.requests[0]?.complete).to.equal(false);
  });
});
