import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { MemoryStore } from '../../../plugins/response-cache/memory-store.js';
import type { StoredResponse } from '../../../plugins/response-cache/stored-response.js';
import { until } from '../../support/until.js';
import { type Origin, runCache } from './kit.js';
import { middleware } from './small-plugins.js';
import { stored } from './stored.js';

const MB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function response(key: string, body = Buffer.alloc(16), variant = 'v', tag?: string): StoredResponse {
  const fields = [
    'Content-Type',
    'text/plain',
    'Cache-Control',
    'max-age=600',
    ...(tag ? ['Cache-Tag', tag] : []),
  ];
  return stored({ key, variant, fields }, body);
}

describe('response-cache: bounds', () => {
  it('one million distinct URLs keep memory under the bound', function () {
    this.timeout(60_000);
    const bound = 64 * MB;
    const store = new MemoryStore({ maxBytes: bound, maxEntries: 10_000_000 });
    const collect = (): number => {
      collectGarbage();
      // The memory of Buffers is given back on another thread, which the next collection waits for.
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = collect();
    let most = 0;
    for (let i = 0; i < 1_000_000; i++) {
      store.put(
        response(`GET:http://demo/item/${i}`, Buffer.allocUnsafeSlow(32), `http://gateway.example${i % 7}`),
      );
      if (store.bytes > most) most = store.bytes;
    }
    expect(most).to.be.at.most(bound);
    expect(store.entries).to.be.greaterThan(20_000);
    expect(store.entries + store.evictions).to.equal(1_000_000);
    expect(collect() - before).to.be.lessThan(bound);
    store.clear();
    expect(store.bytes).to.equal(0);
    expect(store.find('GET:http://demo/item/999999')).to.equal(undefined);
  });

  it('drops those first that were not used for the longest time, and forgets their tags', () => {
    const store = new MemoryStore({ maxBytes: 10 * MB, maxEntries: 2 });
    const [one, two, three] = ['1', '2', '3'].map((key) => response(key, undefined, 'v', `t${key}`));
    if (!one || !two || !three) throw new Error('No responses');
    store.put(one);
    store.put(two);
    store.touch(one);
    store.put(three);
    expect([one, two, three].map(({ key }) => store.find(key)?.get('v'))).to.deep.equal([
      one,
      undefined,
      three,
    ]);
    expect(store.removeTagged('t2')).to.equal(0);
    expect(store.removeTagged('t3')).to.equal(1);
    expect(store.evictions).to.equal(1);
  });

  it('does not keep what is larger than everything', () => {
    const store = new MemoryStore({ maxBytes: 10_000, maxEntries: 10 });
    store.put(response('small'));
    store.put(response('large', Buffer.alloc(20_000)));
    expect(store.find('large')).to.equal(undefined);
    expect(store.find('small')).not.to.equal(undefined);
    expect(store.entries).to.equal(1);
  });

  it('keeps its books when a variant is replaced', () => {
    const store = new MemoryStore({ maxBytes: MB, maxEntries: 10 });
    for (const variant of ['a', 'b', 'a']) store.put(response('x', Buffer.alloc(100), variant, 'tag'));
    expect(store.entries).to.equal(2);
    expect(store.removeTagged('tag')).to.equal(2);
    expect(store.find('x')).to.equal(undefined);
    expect(store.bytes).to.equal(0);
  });

  it('over HTTP: many URLs stay under the bound', async function () {
    this.timeout(30_000);
    const { url, agent } = await runCache({ body: Buffer.alloc(2000) }, { maxSize: '200kb' });
    for (let i = 0; i < 30; i++) {
      await Promise.all(
        Array.from({ length: 20 }, (_, j) =>
          fetch(`${url}/api/v1/demo/${i}-${j}`).then((each) => each.arrayBuffer()),
        ),
      );
    }
    const { body } = await agent.get('/api/v1/gateway/cache').expect(200);
    expect(body.bytes).to.be.at.most(200 * 1024);
    expect(body.evictions).to.be.greaterThan(400);
    await agent.get('/api/v1/demo/29-19').expect('X-Cache-Status', 'HIT');
    await agent.get('/api/v1/demo/0-0').expect('X-Cache-Status', 'MISS');
  });

  it('over HTTP: each gets what its URL stands for, while others are stored, revalidated and evicted', async function () {
    this.timeout(60_000);
    const bodyOf = (path: string) =>
      `${path} `.repeat(10 + (Number(path.slice(path.lastIndexOf('/') + 1)) % 700));
    // Between the answer and its writing others are stored, and this one may go.
    const slow = middleware('slow', async (_ctx, next) => {
      await next();
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    });
    const { url, agent } = await runCache(
      (req) => {
        const number = req.url?.split('/').at(-1) ?? '';
        const tag = `"${number}"`;
        if (req.headers['if-none-match'] === tag) return { status: 304, headers: { ETag: tag } };
        const headers = number.endsWith('0')
          ? { ETag: tag, 'Cache-Control': 'max-age=0' }
          : { 'Cache-Control': 'max-age=600' };
        return { body: bodyOf(number), headers };
      },
      { maxSize: '1mb' },
      { before: [{ definition: slow }] },
    );
    const ask = async (number: number): Promise<void> => {
      const response = await fetch(`${url}/api/v1/demo/${number}`);
      const expected = bodyOf(String(number));
      // `expect` on the texts would print all of them.
      expect((await response.text()) === expected, `${number}`).to.equal(true);
      expect(response.status).to.equal(200);
    };
    // First each URL once, so that memory is filled again; then some again and again.
    for (let i = 0; i < 600; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => ask(i + j)));
    let state = 1;
    for (let i = 0; i < 150; i++) {
      const some = Array.from({ length: 20 }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state % 2 === 0 ? (state >>> 8) % 600 : (state >>> 8) % 30;
      });
      await Promise.all(some.map(ask));
    }
    const { body } = await agent.get('/api/v1/gateway/cache').expect(200);
    expect(body.evictions).to.be.greaterThan(600);
    expect(body.outcomes.HIT).to.be.greaterThan(300);
    expect(body.outcomes.REVALIDATED).to.be.greaterThan(30);
  });

  it('over HTTP: who has been answered gets his body, though it is evicted and its memory wanted meanwhile', async () => {
    let release: () => void = () => undefined;
    let isHeld = false;
    const hold = middleware('hold', async (ctx, next) => {
      await next();
      if (ctx.get('x-hold') === '') return;
      isHeld = true;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const origin: Origin = (req) => ({ body: `${req.url} `.repeat(300), headers: { ETag: '"1"' } });
    const { url, agent } = await runCache(
      (req, ...others) =>
        req.headers['if-none-match'] === undefined ? origin(req, ...others) : { status: 304 },
      { maxSize: '600kb' },
      { before: [{ definition: hold }] },
    );
    // As it is found, and as a 304 makes it.
    for (const headers of [{}, { 'cache-control': 'max-age=0' }]) {
      const first = await fetch(`${url}/api/v1/demo/1`).then((response) => response.text());
      // What a 304 brings goes into other memory than what was there.
      for (let i = 400; i < 465; i++)
        await fetch(`${url}/api/v1/demo/${i}`).then((each) => each.arrayBuffer());
      isHeld = false;
      const held = fetch(`${url}/api/v1/demo/1`, { headers: { ...headers, 'x-hold': '1' } });
      await until('it is held', () => isHeld);
      for (let i = 100; i < 400; i++)
        await fetch(`${url}/api/v1/demo/${i}`).then((each) => each.arrayBuffer());
      const { body } = await agent.get('/api/v1/gateway/cache');
      release();
      const answer = await held;
      expect(body.evictions).to.be.greaterThan(200);
      expect(answer.headers.get('x-cache-status')).to.be.oneOf(['HIT', 'REVALIDATED']);
      expect((await answer.text()) === first, 'its body').to.equal(true);
    }
  });

  it('over HTTP: a body that is too large passes by, its length known or not', async () => {
    const body = Buffer.alloc(100_000, 'x');
    for (const chunked of [false, true]) {
      const { agent, url } = await runCache(
        (_req, res) => {
          if (!chunked) return { body };
          res.write(body.subarray(0, 50_000));
          res.end(body.subarray(50_000));
          return undefined;
        },
        { maxEntrySize: '64kb' },
      );
      for (let i = 0; i < 2; i++) {
        const answer = await fetch(`${url}/api/v1/demo/a`);
        expect(answer.headers.get('x-cache-status')).to.equal('MISS');
        expect((await answer.arrayBuffer()).byteLength).to.equal(body.length);
      }
      const { body: statistics } = await agent.get('/api/v1/gateway/cache');
      expect(statistics).to.include({ size: 0, stored: 0 });
    }
  });

  it('over HTTP: the first byte does not wait for the last', async () => {
    let end: () => void = () => undefined;
    const { url, agent } = await runCache((_req, res) => {
      res.write('first');
      end = () => res.end('last');
      return undefined;
    });
    const response = await fetch(`${url}/api/v1/demo/a`);
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).to.equal('first');
    end();
    await until('the end', async () => (await reader?.read())?.done !== false);
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'HIT').expect('Content-Length', '9');
  });

  it('serves a hit with the same Buffer each time, so that what is derived of it can be kept', async () => {
    const seen = new Set<unknown>();
    const outside = middleware('outside', async (ctx, next) => {
      await next();
      if (ctx.gateway.bodySource === 'plugin') seen.add(ctx.body);
    });
    const { agent } = await runCache({ body: 'stored' }, {}, { before: [{ definition: outside }] });
    for (let i = 0; i < 4; i++) await agent.get('/api/v1/demo/a').expect(200);
    expect(seen.size).to.equal(1);
    expect(Buffer.isBuffer([...seen][0])).to.equal(true);
  });
});
