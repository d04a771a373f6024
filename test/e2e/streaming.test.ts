import { request as httpRequest } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { RawConnection } from '../support/raw-client.js';
import { until, untilSteady } from '../support/until.js';
import { startRawUpstream, startUpstream, type Upstream } from '../support/upstream.js';

const MB = 1024 * 1024;
const GB = 1024 * MB;
const ask = (target: string) => `GET /api/v1/a/${target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n`;

describe('streaming', () => {
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

  it('server-sent events arrive one by one', async () => {
    let send: (text: string) => void = () => undefined;
    const events = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      send = (text) => res.write(`data: ${text}\n\n`);
    });
    const own = await startGateway({ services: { a: service(events.url) } });
    const connection = await RawConnection.open(own.port);
    try {
      connection.send(ask('stream'));
      // The head comes before the first event, and each event before the next is sent.
      await connection.received('\r\n\r\n');
      for (const event of ['one', 'two', 'three']) {
        expect(connection.text).not.to.contain(event);
        send(event);
        await connection.received(`data: ${event}\n\n`);
      }
    } finally {
      connection.destroy();
      await own.stop();
      await events.close();
    }
  });

  it('a request body goes on as it comes', async () => {
    const connection = await RawConnection.open(gateway.port);
    connection.send('POST /api/v1/a/x HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (const [i, part] of ['one', 'two', 'three'].entries()) {
      connection.send(`${part.length}\r\n${part}\r\n`);
      await until(
        `part ${i} at the upstream`,
        () => upstream.requests[0]?.body.toString().endsWith(part) === true,
      );
    }
    expect(connection.text).to.equal('');
    connection.send('0\r\n\r\n');
    const { responses } = await connection.responses(1);
    expect(responses[0]?.status).to.equal(200);
    connection.destroy();
  });

  it('an upstream that does not read holds the client back', async () => {
    let read: (() => void) | undefined;
    const deaf = await startUpstream((req) => {
      req.pause();
      read = () => req.resume();
    });
    const own = await startGateway({ services: { a: service(deaf.url) } });
    const request = httpRequest({ port: own.port, method: 'POST', path: '/api/v1/a/x' });
    request.on('error', () => undefined);
    const block = Buffer.alloc(64 * 1024);
    const write = () => {
      while (request.write(block));
    };
    request.on('drain', write);
    try {
      write();
      await until('the request at the upstream', () => read !== undefined);
      const sent = await untilSteady(
        () => (request.socket?.bytesWritten ?? 0) - (request.socket?.writableLength ?? 0),
      );
      // What the kernel's socket buffers on both connections may hold, and a little for the gateway.
      expect(sent).to.be.within(64 * 1024, 24 * MB);
    } finally {
      request.destroy();
      // An upstream that does not read cannot see that the connection has ended.
      read?.();
      await until('the upstream to be at rest', () => deaf.activeRequests() === 0);
      await own.stop();
      await deaf.close();
    }
  });

  it('a client that does not read holds the upstream back', async () => {
    let written = 0;
    const fountain = await startUpstream((_req, res) => {
      const block = Buffer.alloc(64 * 1024);
      const write = () => {
        do written += block.length;
        while (res.write(block));
      };
      res.on('drain', write);
      write();
    });
    const own = await startGateway({ services: { a: service(fountain.url) } });
    const connection = await RawConnection.open(own.port);
    connection.socket.pause();
    try {
      connection.send(ask('x'));
      await until('the upstream to write', () => written > 0);
      expect(await untilSteady(() => written)).to.be.below(24 * MB);
    } finally {
      connection.destroy();
      await until('the upstream to be at rest', () => fountain.activeRequests() === 0);
      await own.stop();
      await fountain.close();
    }
  });

  describe('an upstream that breaks off', () => {
    it('in a body with a length', async () => {
      const connection = await RawConnection.open(gateway.port);
      connection.send(ask('break'));
      const { responses } = await connection.closure();
      expect(responses).to.have.length(1);
      expect(responses[0]).to.include({ status: 200, framing: 'length', complete: false });
    });

    it('in a chunked body', async () => {
      const connection = await RawConnection.open(gateway.port);
      connection.send(ask('break?chunked=1'));
      const { responses } = await connection.closure();
      expect(responses).to.have.length(1);
      expect(responses[0]).to.include({ status: 200, framing: 'chunked', complete: false });
    });

    const endings: readonly [name: string, bytes: string][] = [
      ['by a clean end, short of its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'],
      ['by a clean end, in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort'],
      [
        'by a clean end, between chunks',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n',
      ],
      [
        'by a clean end, before the trailers are whole',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\n',
      ],
      [
        'by a chunk size that is none',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n',
      ],
    ];
    for (const [name, bytes] of endings) {
      it(name, async () => {
        const short = await startRawUpstream((socket) => {
          socket.once('data', () => {
            socket.end(bytes, 'latin1');
          });
        });
        const own = await startGateway({ services: { a: service(short.url) } });
        const connection = await RawConnection.open(own.port);
        try {
          connection.send(ask('x'));
          const { responses } = await connection.closure();
          expect(responses).to.have.length(1);
          // As long as nothing was sent, the gateway may still answer 502; it may never end the body cleanly.
          if (responses[0]?.status !== 502) expect(responses[0]).to.include({ status: 200, complete: false });
        } finally {
          connection.destroy();
          await own.stop();
          await short.close();
        }
      });
    }
  });

  describe('a gigabyte', () => {
    let process: GatewayProcess;

    before(async function () {
      this.timeout(20_000);
      process = await startGatewayProcess({ services: { a: service(upstream.url) } });
      // What the process needs once, for its code and its buffers, is no growth.
      await download(process.port, 64 * MB);
      await upload(process.port, 64 * MB);
    });
    after(() => process.stop());

    it('down', async function () {
      this.timeout(120_000);
      const growth = await growthDuring(process, async () => {
        expect(await download(process.port, GB)).to.equal(GB);
      });
      expect(growth).to.be.below(64 * MB);
    });

    it('up', async function () {
      this.timeout(120_000);
      const growth = await growthDuring(process, async () => {
        await upload(process.port, GB);
      });
      expect(upstream.requests[0]?.bodyLength).to.equal(GB);
      expect(growth).to.be.below(64 * MB);
    });
  });
});

/** How much more memory than before the process ever had while `work` went on, in bytes. */
async function growthDuring(process: GatewayProcess, work: () => Promise<void>): Promise<number> {
  const before = await process.memory();
  let peak = before;
  let measuring: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    measuring = process.memory().then((now) => {
      peak = Math.max(peak, now);
    });
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
    await measuring;
  }
  return Math.max(peak, await process.memory()) - before;
}

/** @returns the bytes that came */
async function download(port: number, bytes: number): Promise<number> {
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest({ port, path: `/api/v1/a/large?bytes=${bytes}` }, (response) => {
      response.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      response.on('end', resolve);
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
  return received;
}

async function upload(port: number, bytes: number): Promise<void> {
  const block = Buffer.alloc(64 * 1024);
  const request = httpRequest({
    port,
    method: 'PUT',
    path: '/api/v1/a/x',
    headers: { 'content-length': bytes },
  });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  await pipeline(function* () {
    for (let left = bytes; left > 0; left -= block.length)
      yield left >= block.length ? block : block.subarray(0, left);
  }, request);
  expect(await answered).to.equal(200);
}
