import { expect } from 'chai';
import fc from 'fast-check';
import { Type } from 'typebox';
import { definePlugin, type GatewayContext, type GatewayPlugin } from '../../../core/index.js';
import { runPlugin } from '../../support/plugin-kit.js';
import { RawConnection } from '../../support/raw-client.js';
import { until } from '../../support/until.js';
import { fieldValues } from '../../support/upstream.js';

type Act = (ctx: GatewayContext) => Promise<unknown> | undefined;

/** A plugin that does `act` before the request goes on. */
function acting(act: Act) {
  class Acting implements GatewayPlugin {
    middleware() {
      return async (ctx: GatewayContext, next: () => Promise<void>) => {
        await act(ctx);
        await next();
      };
    }
  }
  return definePlugin({ name: 'acting', summary: 'Acts.', options: Type.Object({}), plugin: Acting });
}

const reading = acting((ctx) => ctx.gateway.readBody(1000));

describe('a request body that a plugin reads', () => {
  it('reaches the upstream byte for byte, with its length', async () => {
    const { agent, upstream } = await runPlugin(reading);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 1000 }), async (bytes) => {
        const body = Buffer.from(bytes);
        await agent
          .post('/api/v1/demo/x')
          .set('content-type', 'application/octet-stream')
          .send(body)
          .expect(200);
        const seen = upstream.requests.at(-1);
        expect(seen?.framing).to.equal('length');
        expect(seen?.body.equals(body)).to.equal(true);
        expect(fieldValues(seen?.rawHeaders ?? [], 'content-length')).to.deep.equal([`${body.length}`]);
      }),
      { numRuns: 30 },
    );
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET']) {
    it(`gets a length instead of chunks: ${method}`, async () => {
      const { port, upstream } = await runPlugin(reading);
      const connection = await RawConnection.open(port);
      const head = `${method} /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
      connection.send(`${head}3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`);
      // The second request shows that the connection is as it should be.
      connection.send('GET /api/v1/demo/second HTTP/1.1\r\nHost: a\r\n\r\n');
      const { responses } = await connection.responses(2);
      connection.destroy();
      expect(responses.map(({ status }) => status)).to.deep.equal([200, 200]);
      // Pipelined requests are forwarded side by side.
      const first = upstream.requests.find(({ url }) => url === '/api/v1/x');
      const second = upstream.requests.find(({ url }) => url === '/api/v1/second');
      expect(first?.body.toString()).to.equal('abcdefg');
      expect(fieldValues(first?.rawHeaders ?? [], 'content-length')).to.deep.equal(['7']);
      expect(fieldValues(first?.rawHeaders ?? [], 'transfer-encoding')).to.deep.equal([]);
      expect(second?.framing).to.equal('none');
    });
  }

  it('may be empty though it was announced as chunks', async () => {
    const { port, upstream } = await runPlugin(reading);
    const connection = await RawConnection.open(port);
    connection.send('POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
    await connection.responses(1);
    connection.destroy();
    expect(upstream.requests[0]).to.include({ bodyLength: 0, framing: 'length' });
  });

  it('is read once for several readers', async () => {
    const seen: unknown[] = [];
    const twice = acting(async ({ gateway }) => {
      const [one, other] = await Promise.all([gateway.readBody(100), gateway.readBody(100)]);
      seen.push(one === other, (await gateway.readBody(100)) === one);
    });
    const { agent } = await runPlugin(twice);
    await agent.post('/api/v1/demo/x').send({ a: 1 }).expect(200);
    expect(seen).to.deep.equal([true, true]);
  });

  it('is empty where the request has none', async () => {
    const lengths: number[] = [];
    const { agent, upstream } = await runPlugin(
      acting(async ({ gateway }) => lengths.push((await gateway.readBody(1)).length)),
    );
    await agent.get('/api/v1/demo/x').expect(200);
    expect(lengths).to.deep.equal([0]);
    expect(upstream.requests[0]?.framing).to.equal('none');
  });

  it('asks the client to go on that waits for it', async () => {
    const { port, upstream } = await runPlugin(reading);
    const connection = await RawConnection.open(port);
    connection.send(
      'POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
    );
    await connection.received('100 Continue');
    connection.send('abc');
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses[0]?.status).to.equal(200);
    expect(upstream.requests[0]?.body.toString()).to.equal('abc');
  });

  it('is not asked for when it is announced to be too large', async () => {
    const { port, upstream } = await runPlugin(reading);
    const connection = await RawConnection.open(port);
    connection.send(
      'POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n',
    );
    const { responses, interim } = await connection.responses(1);
    connection.destroy();
    expect(interim).to.deep.equal([]);
    expect(responses[0]?.status).to.equal(413);
    expect(upstream.requests).to.deep.equal([]);
  });

  const large = `POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(0x3e9)}\r\n0\r\n\r\n`;

  it('is refused with 413 once it has grown too large', async () => {
    const { port, upstream } = await runPlugin(reading);
    const connection = await RawConnection.open(port);
    connection.send(large);
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses[0]?.status).to.equal(413);
    expect(upstream.requests).to.deep.equal([]);
  });

  it('keeps to the gateway’s own limit as well', async () => {
    const { agent } = await runPlugin(reading, {}, { settings: { limits: { body: 10 } } });
    await agent.post('/api/v1/demo/x').type('text').send('x'.repeat(10)).expect(200);
    await agent.post('/api/v1/demo/x').type('text').send('x'.repeat(11)).expect(413);
  });

  it('is refused by a later reader with a smaller limit', async () => {
    const { agent } = await runPlugin(
      acting(async ({ gateway }) => {
        await gateway.readBody(0);
        await gateway.readBody(5);
      }),
    );
    await agent.post('/api/v1/demo/x').type('text').send('12345').expect(200);
    await agent.post('/api/v1/demo/x').type('text').send('123456').expect(413);
  });

  it('is refused with 408 when it does not come', async () => {
    const { port, clock } = await runPlugin(reading);
    const connection = await RawConnection.open(port);
    connection.send('POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab');
    // The gateway has no timer to tick before it has seen the head.
    await until('a 408', () => {
      clock.tick(1000);
      return connection.text.includes(' 408 ');
    });
    connection.destroy();
  });
});

describe('a request body that a plugin replaces', () => {
  it('reaches the upstream instead of the client’s, without digests of that', async () => {
    const replacing = acting(async ({ gateway }) => {
      await gateway.readBody(100);
      gateway.replaceBody(Buffer.from('other bytes'));
    });
    const { agent, upstream } = await runPlugin(replacing);
    await agent
      .post('/api/v1/demo/x')
      .set('content-digest', 'sha-256=:x:')
      .set('content-md5', 'x')
      .send({ a: 1 });
    const [seen] = upstream.requests;
    expect(seen?.body.toString()).to.equal('other bytes');
    expect(fieldValues(seen?.rawHeaders ?? [], 'content-length')).to.deep.equal(['11']);
    expect(fieldValues(seen?.rawHeaders ?? [], 'content-digest')).to.deep.equal([]);
    expect(fieldValues(seen?.rawHeaders ?? [], 'content-md5')).to.deep.equal([]);
  });

  it('must have been read, so that nothing of it is left on the connection', async () => {
    const { agent, logLines } = await runPlugin(
      acting(({ gateway }) => {
        gateway.replaceBody(Buffer.from('x'));
        return undefined;
      }),
    );
    await agent.post('/api/v1/demo/x').send({ a: 1 }).expect(500);
    expect(logLines.join('')).to.contain('Read the body before you replace it');
  });
});

describe('a request body that a plugin limits', () => {
  const limiting = acting(({ gateway }) => {
    gateway.limitBody(5);
    gateway.limitBody(50);
    return undefined;
  });

  it('streams up to the smallest limit', async () => {
    const { agent, upstream } = await runPlugin(limiting);
    await agent.post('/api/v1/demo/x').type('text').send('12345').expect(200);
    await agent.post('/api/v1/demo/x').type('text').send('123456').expect(413);
    expect(upstream.requests).to.have.length(1);
  });

  it('is refused when more chunks come', async () => {
    const { port } = await runPlugin(limiting);
    const connection = await RawConnection.open(port);
    connection.send('POST /api/v1/demo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    connection.send('4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n');
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses[0]?.status).to.equal(413);
  });
});
