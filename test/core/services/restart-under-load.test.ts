import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Agent, request } from 'undici';
import { type RawConfig, type RunningGateway, startGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

/** A server that can be killed with all its connections, and started again at the same port. */
class Mortal {
  served = 0;
  port = 0;
  #server: Server | undefined;

  async start(): Promise<void> {
    const server = createServer((_req, res) => {
      this.served++;
      res.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

describe('one of three targets, killed and restarted under steady load', () => {
  const forms: readonly [string, RawConfig][] = [
    ['with retries alone', {}],
    ['with outlier ejection', { outlierEjection: { baseTime: '200ms', maxTime: '1s' } }],
    [
      'with slow start and limits too',
      {
        outlierEjection: { baseTime: '200ms', maxTime: '500ms' },
        slowStart: { duration: '500ms' },
        concurrency: { limit: 4, perTarget: 3, queue: 100 },
      },
    ],
  ];
  for (const [name, settings] of forms) {
    it(`fails no GET, and the spread is even again within 2 s: ${name}`, async () => {
      const servers = [new Mortal(), new Mortal(), new Mortal()] as const;
      const [victim, ...others] = servers;
      const client = new Agent({ connections: 8 });
      let running: RunningGateway | undefined;
      let isOver = false;
      try {
        for (const server of servers) await server.start();
        const targets = servers.map(({ port }) => `http://127.0.0.1:${port}`);
        running = await startGateway({ services: { shop: { targets, health: false, ...settings } } });
        const { url } = running;
        let answered = 0;
        const errors: string[] = [];
        const load = Array.from({ length: 8 }, async () => {
          while (!isOver) {
            const { statusCode, body } = await request(`${url}/api/v1/shop/x`, { dispatcher: client });
            await body.dump();
            if (statusCode !== 200) errors.push(`${statusCode} after ${answered}`);
            answered++;
          }
        });
        const more = (amount: number) => {
          const start = answered;
          return until(`${amount} more answers`, () => answered >= start + amount, 5000);
        };
        await more(300);
        await victim.kill();
        await more(300);
        await victim.start();
        const recovered = performance.now();
        await until('the spread to be even', async () => {
          const before = servers.map(({ served }) => served);
          await more(90);
          const shares = servers.map(({ served }, index) => served - (before[index] ?? 0));
          return shares.every((share) => share >= 25 && share <= 35);
        });
        expect(performance.now() - recovered).to.be.below(2000);
        isOver = true;
        await Promise.all(load);
        expect(errors).to.deep.equal([]);
        expect(others.every(({ served }) => served > 200)).to.equal(true);
      } finally {
        isOver = true;
        await running?.stop();
        await client.close();
        for (const server of servers) await server.kill();
      }
    }).timeout(15_000);
  }
});
