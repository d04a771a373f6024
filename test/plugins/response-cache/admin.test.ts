import { expect } from 'chai';
import { runCache } from './kit.js';

const fresh = { headers: { 'Cache-Control': 'max-age=600' } };

describe('response-cache: administration', () => {
  it('tells statistics', async () => {
    const { agent } = await runCache(fresh);
    await agent.get('/api/v1/demo/a');
    await agent.get('/api/v1/demo/a');
    await agent.post('/api/v1/demo/b');
    const { body } = await agent.get('/api/v1/gateway/cache').expect(200);
    expect(body).to.include({
      size: 1,
      hits: 1,
      misses: 1,
      hit_rate: 0.5,
      stored: 1,
      evictions: 0,
      purged: 0,
    });
    expect(body.bytes).to.be.greaterThan(8);
    expect(body.outcomes).to.deep.equal({ HIT: 1, MISS: 1, STALE: 0, REVALIDATED: 0, BYPASS: 1 });
  });

  it('looks an entry up, by the name of the service or the address of a target, without giving it away', async () => {
    const { agent, upstream, clock } = await runCache({
      headers: { 'Cache-Control': 'max-age=600', ETag: '"1"', 'Surrogate-Key': 'one two', Vary: 'Accept' },
      body: 'secret',
    });
    await agent.get('/api/v1/demo/a?x=1');
    clock.tick(5000);
    for (const origin of ['http://demo', upstream.url, 'GET:http://demo']) {
      const url = encodeURIComponent(`${origin}/api/v1/a?x=1`);
      const { body, text } = await agent.get(`/api/v1/gateway/cache/entries?url=${url}`).expect(200);
      expect(body).to.deep.include({ key: 'GET:http://demo/api/v1/a?x=1', total: 1 });
      expect(body.entries[0]).to.deep.include({
        status: 200,
        service: 'demo',
        body_bytes: 6,
        age: 5,
        ttl: 595,
        fresh: true,
        public: false,
        vary: ['accept'],
        etag: '"1"',
        tags: ['one', 'two'],
      });
      expect(text).not.to.contain('secret');
    }
    await agent.get('/api/v1/gateway/cache/entries?url=http%3A%2F%2Fdemo%2Fother').expect(404);
    await agent.get('/api/v1/gateway/cache/entries?url=demo').expect(400);
    await agent.get('/api/v1/gateway/cache/entries').expect(400);
  });

  it('purges by URL, prefix, service, tag, and everything', async () => {
    const { agent } = await runCache((req) => ({
      headers: { ...fresh.headers, 'Cache-Tag': `${req.url?.slice(-1)}, all`, 'Surrogate-Key': 'key' },
    }));
    const rows = [
      [{ url: 'http://demo/api/v1/x/a' }, 1, ['x/a']],
      [{ prefix: 'http://demo/api/v1/x/' }, 2, ['x/a', 'x/b']],
      [{ service: 'demo' }, 3, ['x/a', 'x/b', 'y/c']],
      [{ service: 'other' }, 0, []],
      [{ tag: 'b' }, 1, ['x/b']],
      [{ tag: 'key' }, 3, ['x/a', 'x/b', 'y/c']],
      [{ all: true }, 3, ['x/a', 'x/b', 'y/c']],
    ] as const;
    for (const [body, purged, gone] of rows) {
      for (const path of ['x/a', 'x/b', 'y/c']) await agent.get(`/api/v1/demo/${path}`);
      const answer = await agent.post('/api/v1/gateway/cache/purge').send(body).expect(200);
      expect(answer.body, JSON.stringify(body)).to.deep.equal({ purged });
      for (const path of ['x/a', 'x/b', 'y/c']) {
        const expected = gone.some((each) => each === path) ? 'MISS' : 'HIT';
        await agent.get(`/api/v1/demo/${path}`).expect('X-Cache-Status', expected);
      }
    }
    await agent.delete('/api/v1/gateway/cache').expect(200, { purged: 3 });
  });

  it('purges by URL and prefix for all hosts, or for one, where the host is part of the key', async () => {
    const { agent } = await runCache(fresh, {}, { service: { preserveHost: true } });
    const fill = async () => {
      for (const host of ['one.example', 'two.example:8080', '[::1]:8080'])
        await agent.get('/api/v1/demo/a').set('Host', host).expect(200);
    };
    const purged = async (request: object, count: number) => {
      await fill();
      await agent.post('/api/v1/gateway/cache/purge').send(request).expect(200, { purged: count });
    };
    await purged({ url: 'http://demo/api/v1/a' }, 3);
    await purged({ url: 'http://demo/api/v1' }, 0);
    await purged({ prefix: 'http://demo/api/' }, 3);
    await purged({ url: 'http://demo;host=one.example/api/v1/a' }, 1);
    await purged({ prefix: 'http://demo;host=two.example:8080/' }, 1);
  });

  it('refuses what it does not understand', async () => {
    const { agent } = await runCache(fresh);
    for (const body of [
      {},
      { url: 'http://demo/a', tag: 'a' },
      { everything: true },
      { all: false },
      { tag: 5 },
      { url: 'x' },
    ])
      await agent.post('/api/v1/gateway/cache/purge').send(body).expect(400);
  });

  it('what was asked for before a purge is not stored after it', async () => {
    for (const body of [
      { url: 'http://demo/api/v1/a' },
      { prefix: 'http://demo/' },
      { service: 'demo' },
      { tag: 'x' },
      { all: true },
    ]) {
      let release: () => void = () => undefined;
      const { agent, asked, url } = await runCache((_req, res) => {
        release = () => res.setHeader('Cache-Control', 'max-age=600').end('old');
        return undefined;
      });
      const slow = fetch(`${url}/api/v1/demo/a`);
      while (asked() < 1) await new Promise((resolve) => setImmediate(resolve));
      await agent.post('/api/v1/gateway/cache/purge').send(body).expect(200);
      release();
      await (await slow).text();
      const { body: statistics } = await agent.get('/api/v1/gateway/cache').expect(200);
      expect(statistics, JSON.stringify(body)).to.include({ size: 0, stored: 0 });
    }
  });
});
