import { expect } from 'chai';
import { type Authority, createAuthority } from '../support/certificates.js';
import { expectError } from '../support/error-format.js';
import { type RawConfig, type RunningGateway, startGateway } from '../support/gateway.js';
import { request } from '../support/raw-client.js';
import type { RawResponse } from '../support/raw-response.js';
import { until } from '../support/until.js';
import { answering, startRawUpstream, startUpstream, type Upstream } from '../support/upstream.js';

/** The time limits of the service that is at fault, in milliseconds. */
const LIMIT = 300;
/** Timers of undici go in steps of half a second, and the machine may be busy. */
const SLACK = 3000;
const REQUESTS = 16;
const AT_A_TIME = 8;

interface Faulty {
  readonly url: string;
  /** Connections that it has. */
  openSockets(): number;
  close(): Promise<void>;
}

interface Fault {
  start(): Promise<Faulty>;
  /** What a client gets; `broken` for a response whose body was broken off. */
  readonly outcome: number | 'broken';
  readonly settings?: RawConfig;
}

/** Begins as `head` says, and sends another `x` every so often; nothing ever ends it. */
function dripping(head: string): Fault['start'] {
  return () =>
    startRawUpstream((socket) => {
      socket.on('data', () => {
        socket.write(head);
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer));
      });
    });
}

describe('a service at fault', function () {
  this.timeout(30_000);
  let authority: Authority;
  let neighbour: Upstream;
  let gateway: RunningGateway;
  before(async () => {
    authority = await createAuthority();
    neighbour = await startUpstream((_req, res) => res.end('fine'));
  });
  after(async () => {
    await neighbour.close();
    await authority.discard();
  });

  async function secure(names: readonly string[]): Promise<Upstream> {
    const { key, cert } = await authority.issue('upstream', names);
    return startUpstream(undefined, { key: await authority.read(key), cert: await authority.read(cert) });
  }

  /** The same server by another scheme. */
  async function under(scheme: 'http' | 'https', server: Promise<Faulty>): Promise<Faulty> {
    const { url, ...rest } = await server;
    return { url: url.replace(/^https?/, scheme), ...rest };
  }

  const FAULTS: Readonly<Record<string, Fault>> = {
    'refuses connections': {
      async start() {
        const gone = await startUpstream();
        await gone.close();
        return gone;
      },
      outcome: 503,
    },
    'resets connections': {
      start: () => startRawUpstream((socket) => socket.resetAndDestroy()),
      outcome: 502,
    },
    'resets before the head': {
      start: () => startRawUpstream((socket) => socket.on('data', () => socket.resetAndDestroy())),
      outcome: 502,
    },
    'resets in the head': {
      start: () =>
        startRawUpstream((socket) =>
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nX: ', () => socket.resetAndDestroy())),
        ),
      outcome: 502,
    },
    'resets in the body': {
      start: () =>
        startRawUpstream((socket) =>
          socket.on('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
            setTimeout(() => socket.resetAndDestroy(), 20);
          }),
        ),
      outcome: 'broken',
    },
    'closes its half before the head': {
      start: () => startRawUpstream((socket) => socket.on('data', () => socket.end())),
      outcome: 502,
    },
    'closes its half as soon as it is connected': {
      start: () => startRawUpstream((socket) => socket.resume().end()),
      outcome: 502,
    },
    'closes its half in the body': {
      start: () => startRawUpstream(answering('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'end')),
      outcome: 'broken',
    },
    'closes its half in a chunk': {
      start: () =>
        startRawUpstream(answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf', 'end')),
      outcome: 'broken',
    },
    hangs: { start: () => startRawUpstream((socket) => socket.resume()), outcome: 504 },
    'hangs in the TLS handshake': {
      start: () =>
        under(
          'https',
          startRawUpstream((socket) => socket.resume()),
        ),
      outcome: 504,
    },
    'hangs in the body': {
      start: () => startRawUpstream(answering('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
      outcome: 'broken',
    },
    'drips its head': { start: dripping('HTTP/1.1 200 OK\r\nX: '), outcome: 504 },
    'drips its body': {
      start: dripping('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'),
      outcome: 'broken',
      settings: { timeout: { response: '300ms', idle: '300ms', total: '300ms' } },
    },
    'sends garbage': { start: () => startRawUpstream(answering('\0\xff garbage\r\n\r\n')), outcome: 502 },
    'sends garbage unasked': {
      start: () => startRawUpstream((socket) => socket.resume().write('garbage\r\n\r\n')),
      outcome: 502,
    },
    'sends garbage for a chunk': {
      start: () =>
        startRawUpstream(
          answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
        ),
      outcome: 'broken',
    },
    'sends a head without end': {
      start: () =>
        startRawUpstream(answering(`HTTP/1.1 200 OK\r\n${'X: aaaaaaaaaaaaaaaa\r\n'.repeat(4000)}`)),
      outcome: 502,
    },
    'has a name that does not resolve': {
      // Longer than a label may be: no resolver asks anybody.
      start: async () => ({
        url: `http://${'a'.repeat(64)}.invalid`,
        openSockets: () => 0,
        close: async () => undefined,
      }),
      outcome: 503,
    },
    'has a certificate of an unknown authority': { start: () => secure(['127.0.0.1']), outcome: 502 },
    'has a certificate for another name': {
      start: () => secure(['other.test']),
      outcome: 502,
      settings: { tls: { servername: 'upstream.test' } },
    },
    'speaks no TLS where it should': {
      start: () => under('https', startUpstream()),
      outcome: 502,
    },
    'speaks TLS where it should not': { start: () => under('http', secure(['127.0.0.1'])), outcome: 502 },
  };

  for (const [name, fault] of Object.entries(FAULTS)) {
    it(`${name}: ${fault.outcome}, nothing is left over, and its neighbour does not notice`, async () => {
      const sockets = openTcpSockets();
      const faulty = await fault.start();
      const pool = { keepAlive: '50ms' };
      const timeout = { connect: '300ms', response: '300ms', idle: '300ms' };
      // With certificates, so that the wrong name is all that is wrong with it.
      const { tls, ...settings } = { tls: undefined, ...fault.settings };
      gateway = await startGateway({
        services: {
          faulty: {
            targets: [faulty.url],
            health: false,
            pool,
            timeout,
            ...settings,
            ...(tls === undefined ? {} : { tls: { ca: authority.cert, ...Object(tls) } }),
          },
          neighbour: { targets: [neighbour.url], health: false, pool },
        },
      });
      try {
        const alone = await load('neighbour', 'GET', 40, 4);
        const [faults, uploads, beside] = await Promise.all([
          load('faulty', 'GET', REQUESTS, AT_A_TIME),
          load('faulty', 'POST', REQUESTS, AT_A_TIME),
          load('neighbour', 'GET', 200, 4),
        ]);
        for (const { response, ms } of [...faults, ...uploads]) {
          expectOutcome(response, fault.outcome);
          expect(ms).to.be.below(LIMIT + SLACK);
        }
        expect(beside.map(({ response }) => response.status)).to.deep.equal(beside.map(() => 200));
        // Far less than what requests to the other service wait for.
        expect(median(beside)).to.be.below(median(alone) + LIMIT / 3);
        for (const service of gateway.gateway.services.list()) {
          const [target] = service.targets;
          await until('all attempts to be over', () => target?.active === 0);
          expect(service.retryBudget.underWay).to.equal(0);
        }
        await until('the service to have no connections', () => faulty.openSockets() === 0);
      } finally {
        await gateway.stop();
        await faulty.close();
      }
      await until(`no more than ${sockets} sockets`, () => openTcpSockets() <= sockets);
    });
  }

  async function load(service: string, method: string, count: number, atATime: number) {
    const results: { response: RawResponse; ms: number }[] = [];
    await Promise.all(
      Array.from({ length: atATime }, async () => {
        for (let i = 0; i < count / atATime; i += 1) {
          const started = performance.now();
          const body = method === 'POST' ? 'x'.repeat(1000) : '';
          const fields = method === 'POST' ? [`Content-Length: ${body.length}`] : [];
          const response = await request(gateway.port, method, `/api/v1/${service}/x`, fields, body);
          results.push({ response, ms: performance.now() - started });
        }
      }),
    );
    return results;
  }
});

function expectOutcome(response: RawResponse, outcome: Fault['outcome']): void {
  if (outcome === 'broken') {
    expect(response).to.include({ status: 200, complete: false });
  } else {
    expect(response.status).to.equal(outcome);
    expectError(response);
  }
}

function median(results: readonly { readonly ms: number }[]): number {
  const sorted = results.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** TCP connections that this process holds: those of the clients, of the gateway and of the upstreams. */
function openTcpSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
