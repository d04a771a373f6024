import { expect } from 'chai';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection, request } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const AT_A_TIME = 100;

/** A way to go away: what the client sends, and what has come about when it does. */
interface Way {
  readonly send: string;
  readonly ready: (connection: RawConnection, upstream: Upstream, count: number) => Promise<void>;
}

const head = (line: string, ...fields: string[]) =>
  [line, 'Host: gateway.test', ...fields, '', ''].join('\r\n');

const atUpstream: Way['ready'] = (_connection, upstream, count) =>
  until('the requests at the upstream', () => upstream.activeRequests() >= count);

const WAYS: Readonly<Record<string, Way>> = {
  'before the head of the response': { send: head('GET /api/v1/a/slow HTTP/1.1'), ready: atUpstream },
  'in the body of the response': {
    send: head('GET /api/v1/a/stall HTTP/1.1'),
    ready: (connection) => connection.received('xxxxxxxxxx'),
  },
  'in a stream of events': {
    send: head('GET /api/v1/a/sse?count=100000&ms=20 HTTP/1.1'),
    ready: (connection) => connection.received('data: 0'),
  },
  'in a body that it does not read': {
    send: head('GET /api/v1/a/large?bytes=100000000 HTTP/1.1'),
    ready: atUpstream,
  },
  'in a request body with a length': {
    send: `${head('POST /api/v1/a/x HTTP/1.1', 'Content-Length: 100000')}some of it`,
    ready: atUpstream,
  },
  'in a chunked request body': {
    send: `${head('POST /api/v1/a/deaf HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    ready: atUpstream,
  },
};

describe('clients that go away', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    upstream = await startUpstream();
    gateway = await startGateway({
      services: { a: service(upstream.url, { pool: { connections: 500, keepAlive: '100ms' } }) },
    });
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });

  /** Lets `count` clients come and go away, and waits until nothing of them is left. */
  async function abort(way: Way, count: number, leave: (connection: RawConnection) => void): Promise<void> {
    const opened = await Promise.all(Array.from({ length: count }, () => RawConnection.open(gateway.port)));
    const reading = way !== WAYS['in a body that it does not read'];
    for (const connection of opened) {
      if (!reading) connection.socket.pause();
      connection.send(way.send);
    }
    await Promise.all(opened.map((connection) => way.ready(connection, upstream, count)));
    for (const connection of opened) leave(connection);
    await until('the upstream requests to be cancelled', () => upstream.activeRequests() === 0);
  }

  for (const [name, way] of Object.entries(WAYS)) {
    it(`${name}: the upstream request is cancelled`, async () => {
      upstream.requests.length = 0;
      await abort(way, 1, (connection) => connection.destroy());
      expect(upstream.requests).to.have.length(1);
      expect(upstream.requests[0]?.aborted).to.equal(true);
    });

    it(`${name}, with a reset: the upstream request is cancelled`, async () => {
      await abort(way, 1, (connection) => connection.socket.resetAndDestroy());
    });
  }

  it('before the upstream is even asked', async () => {
    for (let i = 0; i < 50; i += 1) {
      const connection = await RawConnection.open(gateway.port);
      connection.send(head('GET /api/v1/a/slow HTTP/1.1'));
      // Not at once: destroying would discard what is not yet written.
      connection.socket.end();
      connection.socket.on('finish', () => connection.socket.resetAndDestroy());
    }
    await until('the upstream to be at rest', () => upstream.activeRequests() === 0);
  });

  it('1,000 of them leave no upstream request and no socket behind', async function () {
    this.timeout(60_000);
    await until('idle connections to be closed', () => upstream.openSockets() === 0);
    const before = openTcpSockets();
    const ways = Object.values(WAYS);
    let aborted = 0;
    for (let round = 0; aborted < 1000; round += 1) {
      const way = ways[round % ways.length];
      if (way === undefined) throw new Error('There is no way to go away');
      await abort(way, AT_A_TIME, (connection) => {
        if (aborted % 2 === 0) connection.destroy();
        else connection.socket.resetAndDestroy();
        aborted += 1;
      });
    }
    await until('every upstream connection to be closed', () => upstream.openSockets() === 0, 10_000);
    await until(`no more than ${before} sockets`, () => openTcpSockets() <= before, 10_000);
    expect((await request(gateway.port, 'GET', '/api/v1/a/x')).status).to.equal(200);
  });
});

/** TCP connections that this process holds: those of the clients, of the gateway and of the upstream. */
function openTcpSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
