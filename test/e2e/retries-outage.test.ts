import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import { type RawConfig, type RunningGateway, startGateway } from '../support/gateway.js';
import { request } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { type RawUpstream, startRawUpstream, startUpstream } from '../support/upstream.js';

const REQUESTS = 200;
const AT_A_TIME = 10;
const MOST_PER_REQUEST = 1.2;

/** Everything is down, and three attempts are configured: the upstreams must not be asked three times as often. */
describe('retries in a total outage', () => {
  let gateway: RunningGateway;
  let attempts = 0;
  const targets: RawUpstream[] = [];

  afterEach(async () => {
    await gateway.stop();
    await Promise.all(targets.splice(0).map((target) => target.close()));
  });

  async function start(urls: readonly string[], settings: RawConfig = {}): Promise<void> {
    attempts = 0;
    gateway = await startGateway({
      services: { a: { targets: urls, health: false, retries: { attempts: 3 }, ...settings } },
    });
  }

  async function raw(onConnection: Parameters<typeof startRawUpstream>[0]): Promise<string> {
    const target = await startRawUpstream((socket) => {
      attempts += 1;
      onConnection(socket);
    });
    targets.push(target);
    return target.url;
  }

  async function three(onConnection: Parameters<typeof startRawUpstream>[0]): Promise<string[]> {
    return Promise.all(Array.from({ length: 3 }, () => raw(onConnection)));
  }

  async function ask(requests: number, atATime: number): Promise<number[]> {
    const statuses: number[] = [];
    await Promise.all(
      Array.from({ length: atATime }, async () => {
        for (let i = 0; i < requests / atATime; i += 1) {
          statuses.push((await request(gateway.port, 'GET', '/api/v1/a/x')).status);
        }
      }),
    );
    return statuses;
  }

  function expectFew(statuses: readonly number[], expected: readonly number[]): void {
    expect(new Set(statuses)).to.deep.equal(new Set(expected));
    expect(attempts).to.be.at.least(statuses.length);
    expect(attempts / statuses.length).to.be.at.most(MOST_PER_REQUEST);
    const budget = gateway.gateway.services.get('a')?.retryBudget;
    expect(budget?.retries).to.be.greaterThan(0);
    expect(budget?.exhausted).to.be.greaterThan(0);
    expect(budget?.underWay).to.equal(0);
  }

  for (const atATime of [1, AT_A_TIME, REQUESTS]) {
    it(`targets that reset every connection, ${atATime} requests at a time`, async () => {
      await start(await three((socket) => socket.resetAndDestroy()));
      expectFew(await ask(REQUESTS, atATime), [502]);
    });
  }

  it('targets that take a request and break off', async () => {
    await start(await three((socket) => socket.on('data', () => socket.resetAndDestroy())));
    expectFew(await ask(REQUESTS, AT_A_TIME), [502]);
  });

  it('targets that never answer', async () => {
    let requests = 0;
    const hanging = await three((socket) => {
      socket.on('data', () => {
        requests += 1;
      });
    });
    await start(hanging, { retries: { attempts: 3, perTryTimeout: '30ms' } });
    const statuses = await ask(REQUESTS, AT_A_TIME);
    // undici opens a connection in the place of each one that it gave up, for the next request: at the end of the run, as
    // many as there were requests at a time are left over, and on some machine a connection takes longer than an attempt.
    const leftOver = attempts - requests;
    expect(leftOver).to.be.at.most(2 * AT_A_TIME);
    attempts -= leftOver;
    expectFew(statuses, [504]);
  });

  it('targets that are overloaded, and retried on that', async () => {
    await start(
      await three((socket) =>
        socket.on('data', () => socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')),
      ),
      { retries: { attempts: 3, on: ['connect', 'reset', 503] } },
    );
    expectFew(await ask(REQUESTS, AT_A_TIME), [503]);
  });

  it('targets that are not there: counted by undici’s own diagnostics', async () => {
    const gone = await Promise.all(Array.from({ length: 3 }, () => startUpstream()));
    const ports = new Set(gone.map(({ port }) => String(port)));
    await Promise.all(gone.map((upstream) => upstream.close()));
    await start(gone.map(({ url }) => url));
    const count = (message: unknown) => {
      const { connectParams } = message as { connectParams: { port: string } };
      if (ports.has(connectParams.port)) attempts += 1;
    };
    subscribe('undici:client:beforeConnect', count);
    try {
      expectFew(await ask(REQUESTS, AT_A_TIME), [503]);
    } finally {
      unsubscribe('undici:client:beforeConnect', count);
    }
  });

  it('is not taken for one where targets answer: the good one of two serves all', async () => {
    const good = await startUpstream();
    try {
      await start([await raw((socket) => socket.resetAndDestroy()), good.url]);
      for (const atATime of [1, AT_A_TIME, 64]) {
        const statuses = await ask(192, atATime);
        expect(new Set(statuses), `${atATime} at a time`).to.deep.equal(new Set([200]));
      }
      await until('all to be settled', () => gateway.gateway.services.get('a')?.retryBudget.underWay === 0);
    } finally {
      await good.close();
    }
  });
});
