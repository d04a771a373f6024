import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { GatewayError, type GatewayMiddleware } from '../../../core/index.js';
import { until } from '../../support/until.js';
import { type CacheKit, runCache } from './kit.js';
import { middleware, WHO } from './small-plugins.js';

/** An origin that answers when it is told to. */
class Held {
  readonly pending: ServerResponse[] = [];
  readonly handler = (_req: IncomingMessage, res: ServerResponse): undefined => {
    this.pending.push(res);
  };

  async arrived(count: number): Promise<void> {
    await until(`${count} requests at the origin`, () => this.pending.length >= count);
  }
}

function ask(kit: CacheKit, count: number, path = '/a', headers: Record<string, string> = {}) {
  return Array.from({ length: count }, async () => {
    const response = await fetch(`${kit.url}/api/v1/demo${path}`, { headers });
    return {
      status: response.status,
      cache: response.headers.get('x-cache-status'),
      text: await response.text(),
      headers: response.headers,
    };
  });
}

/** Until all requests are in the gateway: they have been sent, and the event loop has gone round. */
async function settled(kit: CacheKit, key = 'x'): Promise<void> {
  await fetch(`${kit.url}/api/v1/gateway/cache?${key}`).then((response) => response.text());
  await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('response-cache: coalescing', () => {
  it('500 concurrent clients that ask for one cold key cause one upstream request', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const asking = ask(kit, 500);
    await held.arrived(1);
    await settled(kit);
    held.pending[0]?.end('for all');
    const answers = await Promise.all(asking);
    expect(kit.asked()).to.equal(1);
    expect(answers.map(({ text }) => text)).to.deep.equal(Array(500).fill('for all'));
    expect(answers.filter(({ cache }) => cache === 'MISS')).to.have.length(1);
    const { body } = await kit.agent.get('/api/v1/gateway/cache').expect(200);
    expect(body).to.include({ hits: 499, misses: 1 });
    const collapsed = answers.find(({ cache }) => cache === 'HIT');
    expect(collapsed?.headers.get('cache-status')).to.match(
      /^gateway; (fwd=uri-miss; collapsed|hit); ttl=300$/,
    );
  });

  it('releases those who wait as soon as the head says that the response is not for them', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const asking = ask(kit, 5);
    await held.arrived(1);
    await settled(kit);
    expect(kit.asked()).to.equal(1);
    // The body of the first does not end.
    held.pending[0]?.writeHead(200, { 'Cache-Control': 'no-store' }).write('first');
    await held.arrived(5);
    for (const res of held.pending.slice(1)) res.writeHead(200, { 'Cache-Control': 'no-store' }).end();
    held.pending[0]?.end();
    await Promise.all(asking);
    // What could not be shared before is not waited for again.
    const next = ask(kit, 3);
    await held.arrived(8);
    for (const res of held.pending.slice(5)) res.end('y');
    await Promise.all(next);
  });

  it('a client that goes away does not take the response from those who wait', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const leader = get(`${kit.url}/api/v1/demo/a`);
    leader.on('error', () => undefined);
    await held.arrived(1);
    const asking = ask(kit, 3);
    await settled(kit);
    held.pending[0]?.writeHead(200, { 'Content-Length': '10' }).write('01234');
    await new Promise((resolve) => leader.once('response', resolve));
    leader.destroy();
    await settled(kit);
    held.pending[0]?.end('56789');
    expect((await Promise.all(asking)).map(({ text }) => text)).to.deep.equal(Array(3).fill('0123456789'));
    expect(kit.asked()).to.equal(1);
  });

  it('a client that goes away before there is a head has one of the others ask', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const leader = get(`${kit.url}/api/v1/demo/a`);
    leader.on('error', () => undefined);
    await held.arrived(1);
    const asking = ask(kit, 20);
    await settled(kit);
    leader.destroy();
    await held.arrived(2);
    await settled(kit);
    held.pending[1]?.end('second try');
    expect((await Promise.all(asking)).map(({ text }) => text)).to.deep.equal(Array(20).fill('second try'));
    expect(kit.asked()).to.equal(2);
  });

  it('the failure of one request is that of all who wait', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const asking = ask(kit, 20);
    await held.arrived(1);
    await settled(kit);
    held.pending[0]?.socket?.destroy();
    const answers = await Promise.all(asking);
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(20).fill(502));
    expect(kit.asked()).to.equal(1);
  });

  it('nobody waits longer than `coalesce.wait`', async () => {
    const held = new Held();
    const kit = await runCache(held.handler, { coalesce: { wait: '5s' } });
    const asking = ask(kit, 3);
    await held.arrived(1);
    await settled(kit);
    kit.clock.tick(5000);
    await held.arrived(3);
    for (const res of held.pending) res.end('x');
    await Promise.all(asking);
    expect(kit.clock.pending).to.equal(0);
  });

  it('nobody waits longer than that where one after the other goes away before the head', async () => {
    const held = new Held();
    const kit = await runCache(held.handler, { coalesce: { wait: '5s' } });
    const leaders = [];
    for (let i = 0; i < 3; i++) {
      const leader = get(`${kit.url}/api/v1/demo/a`, { agent: false });
      leader.on('error', () => undefined);
      leaders.push(leader);
      await held.arrived(1);
      await settled(kit);
    }
    const asking = ask(kit, 1);
    await settled(kit);
    for (const [index, leader] of leaders.slice(0, 2).entries()) {
      kit.clock.tick(4000);
      leader.destroy();
      await held.arrived(index + 2);
      await settled(kit);
    }
    // After 8 seconds the last one has waited for more than 5, and asks beside the third.
    const asked = kit.asked();
    for (const res of held.pending) res.end('x');
    await Promise.all(asking);
    leaders[2]?.destroy();
    expect(asked).to.equal(4);
  });

  it('those without Cookie do not wait in vain for one who has one', async () => {
    const held = new Held();
    const kit = await runCache(held.handler);
    const first = ask(kit, 1, '/a', { cookie: 'session=1' });
    await held.arrived(1);
    const asking = ask(kit, 20);
    await settled(kit);
    held.pending[0]?.end('for one');
    await held.arrived(2);
    await settled(kit);
    const asked = kit.asked();
    for (const res of held.pending.slice(1)) res.end('for all');
    await Promise.all([...first, ...asking]);
    expect(asked).to.equal(2);
  });

  it('a slow client does not hold those back who wait', async () => {
    const held = new Held();
    const kit = await runCache(held.handler, { maxEntrySize: '8mb' });
    const body = Buffer.alloc(6 * 1024 * 1024, 'x');
    const slow = get(`${kit.url}/api/v1/demo/a`);
    slow.on('error', () => undefined);
    slow.on('response', (res) => res.pause());
    await held.arrived(1);
    const asking = ask(kit, 2);
    await settled(kit);
    held.pending[0]?.end(body);
    const answers = await Promise.all(asking);
    expect(answers.map(({ text }) => text.length)).to.deep.equal([body.length, body.length]);
    expect(kit.asked()).to.equal(1);
    slow.destroy();
  });

  it('different variants, Hosts and consumers do not wait for each other', async () => {
    const held = new Held();
    const kit = await runCache(held.handler, {}, { before: [{ definition: WHO }] });
    const asking = [
      ...ask(kit, 2, '/a', { 'x-who': 'one' }),
      ...ask(kit, 2, '/a', { 'x-who': 'two' }),
      ...ask(kit, 2, '/a'),
    ];
    await held.arrived(3);
    await settled(kit);
    expect(kit.asked()).to.equal(3);
    for (const res of held.pending) res.end('x');
    await Promise.all(asking);
  });

  it('of several variants of a cold key, each is asked for once', async () => {
    const kit = await runCache((req, res) => {
      setTimeout(
        () => res.writeHead(200, { Vary: 'Accept-Language' }).end(req.headers['accept-language']),
        20,
      );
      return undefined;
    });
    const asking = ['de', 'fr', 'it'].flatMap((language) =>
      ask(kit, 20, '/a', { 'accept-language': language }),
    );
    const answers = await Promise.all(asking);
    expect(answers.map(({ text }) => text)).to.deep.equal(
      ['de', 'fr', 'it'].flatMap((language) => Array(20).fill(language)),
    );
    expect(kit.asked()).to.equal(3);
  });

  it('nobody asks in vain: neither a 304 to a client nor a part keeps the next ones from waiting', async () => {
    for (const [headers, status] of [
      [{ 'if-none-match': '"v1"' }, 304],
      [{ range: 'bytes=0-1' }, 206],
    ] as const) {
      const held = new Held();
      const kit = await runCache(held.handler);
      const before = ask(kit, 1, '/a', headers);
      await held.arrived(1);
      held.pending[0]?.writeHead(status, { ETag: '"v1"', 'Content-Range': 'bytes 0-1/9' }).end();
      expect((await Promise.all(before)).map((answer) => answer.status)).to.deep.equal([status]);
      const asking = ask(kit, 5);
      await held.arrived(2);
      await settled(kit);
      for (const res of held.pending.slice(1)) res.end('for all');
      await Promise.all(asking);
      expect(kit.asked(), String(status)).to.equal(2);
    }
  });

  it('is off where the operator does not want it', async () => {
    const held = new Held();
    const kit = await runCache(held.handler, { coalesce: { enabled: false } });
    const asking = ask(kit, 3);
    await held.arrived(3);
    for (const res of held.pending) res.end('x');
    await Promise.all(asking);
  });

  it('tells those who wait of a failure that a plugin inside throws', async () => {
    let refuse: () => void = () => undefined;
    const inside: GatewayMiddleware = async () => {
      await new Promise<void>((resolve) => {
        refuse = resolve;
      });
      throw new GatewayError('SERVICE_UNAVAILABLE', { headers: { 'Retry-After': '7' } });
    };
    const kit = await runCache({}, {}, { after: [{ definition: middleware('inside', inside) }] });
    const asking = ask(kit, 3);
    await settled(kit);
    refuse();
    for (const { status, headers } of await Promise.all(asking)) {
      expect(status).to.equal(503);
      expect(headers.get('retry-after')).to.equal('7');
    }
  });

  it('nobody waits for a request that failed before the upstream was asked', async () => {
    const spoil = middleware('spoil', async (ctx, next) => {
      if (ctx.get('x-spoil') !== '') {
        Object.defineProperty(ctx.res, 'fields', {
          configurable: true,
          get() {
            Reflect.deleteProperty(ctx.res, 'fields');
            throw new TypeError('spoilt');
          },
        });
      }
      await next();
    });
    const { agent, asked } = await runCache({}, {}, { before: [{ definition: spoil }] });
    await agent.get('/api/v1/demo/a').set('x-spoil', '1').expect(500);
    expect(asked()).to.equal(0);
    // The clock stands still: who waited would wait for ever.
    await agent.get('/api/v1/demo/a').expect(200, 'answer 1');
  });
});
