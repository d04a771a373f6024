import { Agent, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const RELOADS = 200;
const CLIENTS = 16;

interface Traffic {
  requests: number;
  readonly failures: string[];
  readonly sockets: Set<Socket>;
}

describe('reloads under load', () => {
  let upstream: Upstream;
  let gateway: RunningGateway;
  let agent: Agent;

  before(async () => {
    upstream = await startUpstream((req, res) => {
      if (req.url?.endsWith('/stream')) {
        const timer = setInterval(() => res.write('tick\n'), 5);
        res.on('close', () => clearInterval(timer));
        req.socket.once('close', () => clearInterval(timer));
        // Ends when the test says so, by way of the request's own `end` below.
        endStream = () => {
          clearInterval(timer);
          res.end('end\n');
        };
      } else {
        const chunks: Buffer[] = [];
        req.on('data', (chunk: Buffer) => chunks.push(chunk));
        req.on('end', () => res.end(Buffer.concat(chunks)));
      }
    });
    agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    gateway = await startGateway(configuration(0));
  });
  after(async () => {
    agent.destroy();
    await gateway.stop();
    await upstream.close();
  });

  let endStream = () => {};

  /** Every generation differs from the one before: in a service of its own, a route, and a limit. */
  function configuration(generation: number): RawConfig {
    return {
      services: {
        a: service(upstream.url, { timeout: { response: `${20 + (generation % 10)}s` } }),
        [`extra-${generation % 7}`]: service(upstream.url),
      },
      routes: [{ id: 'own', match: { path: `/own-${generation % 3}/*` }, service: 'a' }],
    };
  }

  function exchange(method: 'GET' | 'POST', body: string, traffic: Traffic): Promise<void> {
    return new Promise((resolve) => {
      const fail = (reason: string) => {
        traffic.failures.push(`${method}: ${reason}`);
        resolve();
      };
      const req = httpRequest(
        { agent, port: gateway.port, host: '127.0.0.1', method, path: '/api/v1/a/echo' },
        (res) => {
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (chunk) => {
            text += chunk;
          });
          res.on('error', (error) => fail(`broken off: ${error.message}`));
          res.on('end', () => {
            traffic.requests++;
            if (res.statusCode !== 200) fail(`status ${res.statusCode}`);
            else if (text !== body) fail(`${text.length} of ${body.length} bytes`);
            else resolve();
          });
        },
      );
      req.on('socket', (socket) => traffic.sockets.add(socket));
      req.on('error', (error) => fail(error.message));
      req.end(body);
    });
  }

  it(`${RELOADS} of them lose no request and no connection`, async function () {
    this.timeout(60_000);
    const traffic: Traffic = { requests: 0, failures: [], sockets: new Set() };
    let stopped = false;
    const clients = Array.from({ length: CLIENTS }, async (_, index) => {
      for (let round = 0; !stopped; round++) {
        const isPost = (index + round) % 2 === 0;
        await exchange(
          isPost ? 'POST' : 'GET',
          isPost ? 'x'.repeat(1 + ((index * round) % 20_000)) : '',
          traffic,
        );
      }
    });
    const stream = await fetch(`${gateway.url}/api/v1/a/stream`);
    const streamed = stream.text();
    await until('the traffic', () => traffic.requests > 50);

    for (let generation = 1; generation <= RELOADS; generation++) {
      const before = traffic.requests;
      await gateway.gateway.reload({
        host: '127.0.0.1',
        port: 0,
        dataDirectory: gateway.dataDirectory,
        logging: { level: 'CRITICAL' },
        shutdown: { drainTimeout: '60s' },
        ...configuration(generation),
      });
      // The next one comes in the middle of traffic that the new generation has taken on.
      await until('requests in the new generation', () => traffic.requests > before);
    }
    stopped = true;
    await Promise.all(clients);
    endStream();

    expect(traffic.failures).to.deep.equal([]);
    expect(traffic.requests).to.be.greaterThan(RELOADS);
    expect(await streamed).to.match(/^(?:tick\n)+end\n$/);
    expect(traffic.sockets.size, 'connections that were needed').to.equal(CLIENTS);
    expect((await fetch(`${gateway.url}/api/v1/extra-${RELOADS % 7}/echo`)).status).to.equal(200);
    expect((await fetch(`${gateway.url}/api/v1/extra-${(RELOADS - 1) % 7}/echo`)).status).to.equal(404);
  });
});
