import { expect } from 'chai';
import compress from '../../../plugins/compress/index.js';
import { request as rawRequest } from '../../support/raw-client.js';
import { until } from '../../support/until.js';
import { Script } from './exchange-script.js';
import { runCache } from './kit.js';

const FRESH = { 'Cache-Control': 'max-age=600' };

describe('response-cache, RFC 9111 sections 4, 4.1, 4.4 and 5.2: reuse', () => {
  it('4: says how old a response is, in place of its own Age, and keeps its Date', async () => {
    const script = await Script.open();
    const date = script.kit.date();
    const { headers } = await script.again('/a', { headers: { ...FRESH, Age: '5' } }, 7);
    expect(headers).to.include({ age: '12', date });
  });

  it('4: gives a response without Date the time when it came', async () => {
    const script = await Script.open();
    const date = script.kit.date();
    const { headers } = await script.again('/a', { headers: { ...FRESH, Date: [] } }, 7);
    expect(headers).to.include({ date });
  });

  it('4: answers HEAD from the response to GET', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH, body: 'seven b' });
    await script.get('/a');
    const visit = await script.send('HEAD', '/a');
    expect(visit).to.include({ cache: 'HIT', text: '', status: 200 });
    expect(visit.headers).to.include({ 'content-length': '7' });
  });

  it('4: a response is for its own URL only', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH });
    const urls = ['/a', '/a?x=1', '/a?x=2', '/a?x=1&y=1', '/a?y=1&x=1', '/A', '/a/', '/a%20', '/b'];
    for (const url of urls) expect((await script.get(url)).cache, url).to.equal('MISS');
    for (const url of urls) expect((await script.get(url)).cache, url).to.equal('HIT');
  });

  it('4: passes unsafe requests on, whatever is stored', async () => {
    const script = await Script.open();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      script.origin({ headers: FRESH, body: 'stored' }, { headers: FRESH, body: 'from the origin' });
      await script.get(`/${method}`);
      const visit = await script.send(method, `/${method}`, { 'cache-control': 'only-if-cached, max-stale' });
      expect(visit, method).to.include({ cache: 'BYPASS', text: 'from the origin' });
      expect(visit.seen?.method).to.equal(method);
    }
  });

  it('4: of several fitting responses the newest is used', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, Vary: 'x-a' }, body: 'by a' });
    await script.get('/a', { 'x-a': '1', 'x-b': '1' });
    script.wait(5);
    script.origin({ headers: { ...FRESH, Vary: 'x-b' }, body: 'by b' });
    await script.get('/a', { 'x-a': '2', 'x-b': '1' });
    expect((await script.get('/a', { 'x-a': '1', 'x-b': '1' })).text).to.equal('by b');
    expect((await script.get('/a', { 'x-a': '1', 'x-b': '2' })).text).to.equal('by a');
  });

  it('4.1: a response with Vary: * is never used again', async () => {
    const script = await Script.open();
    for (const [index, vary] of ['*', '*, x-a', 'x-a, *', ' , *'].entries())
      expect((await script.again(`/${index}`, { headers: { ...FRESH, Vary: vary } })).cache).to.equal('MISS');
  });

  it('4.1: the listed fields must match, an absent one only an absent one; the others do not matter', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, Vary: 'X-A, X-B' } });
    await script.get('/a', { 'x-a': '1', 'x-c': '1' });
    expect((await script.get('/a', { 'x-a': '1', 'x-c': '2' })).cache).to.equal('HIT');
    for (const fields of [{}, { 'x-a': '2' }, { 'x-a': '1', 'x-b': '' }, { 'x-b': '1' }])
      expect((await script.get('/a', fields)).cache, JSON.stringify(fields)).to.equal('MISS');
    expect((await script.get('/a', { 'x-a': '1' })).cache).to.equal('HIT');
  });

  it('4.1: what says the same is the same variant', async () => {
    const script = await Script.open();
    const rows = [
      ['accept-encoding', 'gzip, br', 'br,  GZIP, zstd;q=0'],
      ['accept-language', 'en, de', 'DE ,en;q=1.0'],
      ['x-list', '1,2', ' 1 , 2 '],
    ] as const;
    for (const [name, one, other] of rows) {
      script.origin({ headers: { ...FRESH, Vary: name } });
      await script.get(`/${name}`, { [name]: one });
      expect((await script.get(`/${name}`, { [name]: other })).cache, name).to.equal('HIT');
      expect((await script.get(`/${name}`, { [name]: 'fr' })).cache, name).to.equal('MISS');
    }
  });

  it('4.1: of fitting responses, one of which has no Vary, the newest with Vary is used', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, Vary: 'Accept-Language' }, body: 'german' });
    await script.get('/a', { 'accept-language': 'de' });
    script.wait(5);
    script.origin({ headers: FRESH, body: 'default' });
    await script.get('/a', { 'accept-language': 'fr' });
    expect(await script.get('/a', { 'accept-language': 'de' })).to.include({ cache: 'HIT', text: 'german' });
    expect(await script.get('/a', { 'accept-language': 'it' })).to.include({ cache: 'HIT', text: 'default' });
  });

  it('4.1: all lines of Vary count, and all lines of what it lists', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, Vary: ['X-A', 'x-b , ,X-a'] } });
    const get = (lines: readonly (readonly string[])[]) =>
      rawRequest(
        script.kit.port,
        'GET',
        '/api/v1/demo/a',
        lines.map(([name, value]) => `${name}: ${value}`),
      );
    const rows = [
      [
        [
          ['X-A', '1'],
          ['X-A', '2'],
          ['X-B', '3'],
        ],
        'MISS',
      ],
      [
        [
          ['x-a', '1, 2'],
          ['x-b', '3'],
        ],
        'HIT',
      ],
      [
        [
          ['X-A', '2'],
          ['X-A', '1'],
          ['X-B', '3'],
        ],
        'MISS',
      ],
      [
        [
          ['X-A', '1'],
          ['X-B', '3'],
        ],
        'MISS',
      ],
      [
        [
          ['X-A', '1'],
          ['X-A', '2'],
        ],
        'MISS',
      ],
    ] as const;
    for (const [lines, expected] of rows) {
      const response = await get(lines);
      expect(response.header('x-cache-status'), JSON.stringify(lines)).to.equal(expected);
    }
  });

  it('4.1: what a field itself tells apart are different variants', async () => {
    const script = await Script.open();
    const rows = [
      ['cookie', 'session=1', 'session=1; q=1'],
      ['x-path', '/a;q=1', '/a'],
      [
        'accept',
        'application/ld+json;profile="http://a.example/A"',
        'application/ld+json;profile="http://a.example/a"',
      ],
      ['accept', 'text/plain;x="1,2"', 'text/plain;x="2,1"'],
      ['accept-encoding', 'gzip;q=0.5', 'gzip'],
    ] as const;
    const shared: string[] = [];
    for (const [index, [name, one, other]] of rows.entries()) {
      script.origin({ headers: { ...FRESH, Vary: name } });
      await script.get(`/${index}`, { [name]: one });
      if ((await script.get(`/${index}`, { [name]: other })).cache !== 'MISS')
        shared.push(`${one} | ${other}`);
    }
    expect(shared).to.deep.equal([]);
  });

  it('4.1: an upstream that forgets Vary does not have its encoding or permission given to others', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, 'Content-Encoding': 'x-test' } });
    await script.get('/a', { 'accept-encoding': 'x-test' });
    expect((await script.get('/a', { 'accept-encoding': 'identity' })).cache).to.equal('MISS');
    script.origin({ headers: { ...FRESH, 'Access-Control-Allow-Origin': 'http://a.example' } });
    await script.get('/b', { origin: 'http://a.example' });
    expect((await script.get('/b', { origin: 'http://b.example' })).cache).to.equal('MISS');
  });

  it('4.4: a successful unsafe request removes what is stored for its URL, a failed or a safe one not', async () => {
    const script = await Script.open();
    const rows = [
      ['POST', 200, 'MISS'],
      ['PUT', 204, 'MISS'],
      ['DELETE', 303, 'MISS'],
      ['PATCH', 201, 'MISS'],
      ['POST', 500, 'HIT'],
      ['PUT', 412, 'HIT'],
      ['OPTIONS', 200, 'HIT'],
    ] as const;
    for (const [method, status, expected] of rows) {
      const path = `/${method}-${status}`;
      script.origin({ headers: FRESH });
      await script.get(path);
      await script.get(path, { 'x-other': 'variant' });
      script.origin({ status, body: '' });
      expect((await script.send(method, path)).cache).to.equal('BYPASS');
      script.origin({ headers: FRESH });
      expect((await script.get(path)).cache, `${method} ${status}`).to.equal(expected);
    }
  });

  it('4.4: it removes what Location and Content-Location refer to, on the same origin only', async () => {
    const script = await Script.open();
    const { url, upstream } = script.kit;
    const rows = [
      ['relative', 'HIT'],
      ['/api/v1/as-the-upstream-has-it', 'MISS'],
      ['../sibling', 'MISS'],
      ['/api/v1/demo/seen-by-clients', 'MISS'],
      [`${url}/api/v1/demo/absolute`, 'MISS'],
      [`${upstream.url}/api/v1/by-its-own-name`, 'MISS'],
      ['http://other.example/foreign', 'HIT'],
      ['::', 'HIT'],
    ] as const;
    for (const name of ['Location', 'Content-Location']) {
      for (const [reference, expected] of rows) {
        const path = `/${reference.split('/').at(-1)}`;
        script.origin({ headers: FRESH });
        await script.get(path);
        script.origin({ status: 201, headers: { [name]: reference } });
        await script.send('POST', '/collection/of');
        script.origin({ headers: FRESH });
        expect((await script.get(path)).cache, `${name}: ${reference}`).to.equal(expected);
      }
    }
  });

  it('4.4: nor what was asked for again before it, after a 304 about another representation', async () => {
    let release: () => void = () => undefined;
    const kit = await runCache((req, res, count) => {
      if (req.method !== 'GET') return { status: 204 };
      if (count === 1) return { headers: { 'Cache-Control': 'max-age=10', ETag: '"1"' }, body: 'first' };
      if (count === 2) return { status: 304, headers: { ETag: '"2"' } };
      release = () => {
        res.setHeader('Cache-Control', 'max-age=600');
        res.end('before');
      };
      return undefined;
    });
    const url = `${kit.url}/api/v1/demo/a`;
    await (await fetch(url)).text();
    kit.clock.tick(11_000);
    const slow = fetch(url);
    await until('the second question', () => kit.asked() === 3);
    await fetch(url, { method: 'POST' });
    release();
    expect(await (await slow).text()).to.equal('before');
    const { body } = await kit.agent.get('/api/v1/gateway/cache').expect(200);
    expect(body).to.include({ size: 0, stored: 1 });
  });

  it('4.4: it removes nothing of an origin that has another scheme', async () => {
    const script = await Script.open();
    const { port, upstream } = script.kit;
    for (const name of ['Location', 'Content-Location']) {
      for (const reference of [
        `https://127.0.0.1:${port}/api/v1/demo/other-scheme`,
        `${upstream.url.replace('http:', 'https:')}/api/v1/other-scheme`,
        `ftp://127.0.0.1:${port}/api/v1/demo/other-scheme`,
      ]) {
        script.origin({ headers: FRESH });
        await script.get('/other-scheme');
        script.origin({ status: 201, headers: { [name]: reference } });
        await script.send('POST', '/collection/of');
        expect((await script.get('/other-scheme')).cache, `${name}: ${reference}`).to.equal('HIT');
      }
    }
  });

  it('4.4: methods whose safety is unknown are taken for unsafe', async () => {
    const script = await Script.open();
    for (const method of ['PURGE', 'MKCOL', 'LOCK', 'M-SEARCH']) {
      script.origin({ headers: FRESH });
      await script.get(`/${method}`);
      await rawRequest(script.kit.port, method, `/api/v1/demo/${method}`, ['Content-Length: 0']);
      expect((await script.get(`/${method}`)).cache, method).to.equal('MISS');
    }
  });

  it('RFC 9211 section 2: Cache-Status stands after the members of caches before', async () => {
    const script = await Script.open();
    script.origin(
      { headers: { 'Cache-Control': 'max-age=10', ETag: '"1"', 'Cache-Status': 'origin; hit' } },
      { status: 304, headers: { ETag: '"1"', 'Cache-Status': 'origin; fwd=stale' } },
    );
    const says = async (fields = {}) => (await script.get('/a', fields)).headers['cache-status'];
    expect(await says()).to.match(/^origin; hit, gateway; fwd=uri-miss; /);
    expect(await says()).to.equal('origin; hit, gateway; hit; ttl=10');
    script.wait(11);
    expect(await says()).to.match(/^origin; fwd=stale, gateway; fwd=stale; fwd-status=304; /);
    expect(await says({ 'if-none-match': '"1"' })).to.match(/^origin; fwd=stale, gateway; hit; /);
  });

  it('RFC 9211 section 2: Cache-Status is in no response that the gateway makes by itself', async () => {
    const script = await Script.open();
    const { status, headers } = await script.get('/a', { 'cache-control': 'only-if-cached' });
    expect(status).to.equal(504);
    expect(headers).not.to.have.property('cache-status');
  });

  it('5.2: passes directives on, in both directions, whatever they mean to it', async () => {
    const script = await Script.open();
    const asked = 'max-age=5, unknown="a, b", no-transform';
    const said = 'max-age=600, private="x-none", unknown=1, immutable';
    script.origin({ headers: { 'Cache-Control': said, 'CDN-Cache-Control': 'max-age=300', Pragma: 'x' } });
    const miss = await script.get('/a', { 'cache-control': asked, pragma: 'no-cache' });
    expect(miss.seen?.headers).to.include({ 'cache-control': asked, pragma: 'no-cache' });
    const hit = await script.get('/a');
    for (const [visit, cache] of [
      [miss, 'MISS'],
      [hit, 'HIT'],
    ] as const) {
      expect(visit.cache).to.equal(cache);
      expect(visit.headers).to.include({
        'cache-control': said,
        'cdn-cache-control': 'max-age=300',
        pragma: 'x',
      });
    }
    const passed = await script.send('POST', '/a', { 'cache-control': asked });
    expect(passed.seen?.headers).to.include({ 'cache-control': asked });
    expect(passed.headers).to.include({ 'cache-control': said });
  });

  it('5.2.1.5: no-store keeps what is stored from being replaced, and is passed on', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH, body: 'stored' }, { headers: FRESH, body: 'other' });
    await script.get('/a');
    const visit = await script.get('/a', { 'cache-control': 'no-store' });
    expect(visit).to.include({ cache: 'BYPASS', text: 'other' });
    expect(visit.seen?.headers).to.include({ 'cache-control': 'no-store' });
    expect(await script.get('/a')).to.include({ cache: 'HIT', text: 'stored' });
  });

  it('5.2.2.2, 5.2.2.8 and 5.2.2.10: without an upstream there is an error, not a stale response', async () => {
    const script = await Script.open({ staleIfError: '1h', staleWhileRevalidate: '1h' });
    const rows = ['max-age=1, must-revalidate', 'max-age=1, proxy-revalidate', 's-maxage=1', 'no-cache'];
    for (const [index, directives] of rows.entries()) {
      script.origin({ headers: { 'Cache-Control': directives, ETag: '"1"' } });
      await script.get(`/${index}`);
    }
    await script.kit.upstream.close();
    script.wait(2);
    for (const [index, directives] of rows.entries()) {
      const { status, cache } = await script.get(`/${index}`, { 'cache-control': 'max-stale' });
      expect(status, directives).to.be.oneOf([502, 503, 504]);
      expect(cache, directives).to.equal('MISS');
    }
  });

  it('5.2.2.5: a response with no-store takes nothing over, and what it supersedes is not used again', async () => {
    const script = await Script.open({ staleIfError: '1h' });
    script.origin(
      { headers: { 'Cache-Control': 'max-age=1', ETag: '"1"' }, body: 'old' },
      { headers: { 'Cache-Control': 'no-store', ETag: '"2"' }, body: 'secret' },
      { status: 503 },
    );
    await script.get('/a');
    script.wait(2);
    expect((await script.get('/a')).text).to.equal('secret');
    const last = await script.get('/a');
    expect(last).to.include({ status: 503, cache: 'MISS' });
    expect(last.seen?.headers).not.to.have.property('if-none-match');
  });

  it('4.4: what was asked for before an unsafe request is not stored after it', async () => {
    let release: () => void = () => undefined;
    const { kit } = await slowScript((go) => {
      release = go;
    });
    const slow = fetch(`${kit.url}/api/v1/demo/a`);
    while (kit.asked() < 1) await new Promise((resolve) => setImmediate(resolve));
    await fetch(`${kit.url}/api/v1/demo/a`, { method: 'POST' });
    release();
    await (await slow).text();
    const { body } = await kit.agent.get('/api/v1/gateway/cache').expect(200);
    expect(body).to.include({ size: 0, stored: 0 });
  });

  it('5.2.1 and 5.4: max-age, min-fresh, max-stale, no-cache and Pragma of requests are heeded', async () => {
    const rows = [
      ['max-age=100', 50, 'HIT'],
      ['max-age=10', 50, 'MISS'],
      ['max-age=0', 0, 'HIT'],
      ['max-age=0', 1, 'MISS'],
      ['min-fresh=500', 50, 'HIT'],
      ['min-fresh=600', 50, 'MISS'],
      ['max-stale=100', 650, 'STALE'],
      ['max-stale', 6000, 'STALE'],
      ['max-stale=10', 650, 'MISS'],
      ['no-cache', 0, 'MISS'],
    ] as const;
    for (const [directive, seconds, expected] of rows) {
      const script = await Script.open({ staleIfError: 0 });
      const { cache } = await script.again('/a', { headers: FRESH }, seconds, { 'cache-control': directive });
      expect(cache, `${directive} after ${seconds} s`).to.equal(expected);
    }
    const script = await Script.open();
    await script.again('/a', { headers: FRESH });
    await script.kit.agent.get('/api/v1/demo/a').set('Pragma', 'no-cache').expect('X-Cache-Status', 'MISS');
    await script.kit.agent.get('/api/v1/demo/a').set('Pragma', 'other').expect('X-Cache-Status', 'HIT');
  });

  it('5.2.1: they are not heeded where the operator does not want it', async () => {
    const script = await Script.open({ requestDirectives: false });
    const visit = await script.again('/a', { headers: FRESH }, 0, { 'cache-control': 'no-cache' });
    expect(visit.cache).to.equal('HIT');
  });

  it('5.2.1.5: no-store keeps the response to a request from being stored', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH });
    expect((await script.get('/a', { 'cache-control': 'no-store' })).cache).to.equal('BYPASS');
    expect((await script.get('/a')).cache).to.equal('MISS');
  });

  it('5.2.1.7: only-if-cached gets what is stored, or 504', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH });
    expect((await script.get('/a', { 'cache-control': 'only-if-cached' })).status).to.equal(504);
    expect(script.kit.asked()).to.equal(0);
    await script.get('/a');
    expect((await script.get('/a', { 'cache-control': 'only-if-cached' })).cache).to.equal('HIT');
  });

  it('5.2.1.7: only-if-cached never goes to the upstream, whatever stands beside it', async () => {
    const script = await Script.open();
    script.origin({ headers: { ...FRESH, ETag: '"1"' } });
    await script.get('/a');
    const rows = [
      { 'cache-control': 'only-if-cached, no-cache' },
      { 'cache-control': 'only-if-cached, no-store' },
      { 'cache-control': 'only-if-cached', 'if-match': '"1"' },
    ];
    const asked: string[] = [];
    for (const fields of rows) {
      const visit = await script.get('/a', fields);
      if (visit.seen !== undefined) asked.push(JSON.stringify(fields));
    }
    expect(asked).to.deep.equal([]);
  });

  it('5.2.2.4 and 5.2.2.7: the fields that no-cache and private name are not stored', async () => {
    const script = await Script.open();
    for (const directive of ['no-cache', 'private']) {
      const headers = {
        'Cache-Control': `max-age=600, ${directive}="x-secret, X-Other"`,
        'X-Secret': '1',
        'X-Other': '2',
        'X-Kept': '3',
      };
      const visit = await script.again(`/${directive}`, { headers });
      expect(visit.cache).to.equal('HIT');
      expect(visit.headers).to.include({ 'x-kept': '3' });
      expect(visit.headers).not.to.have.any.keys('x-secret', 'x-other');
    }
  });

  it('5.2.2.6: a response with no-transform is given as it came, though compress stands outside', async () => {
    const script = await Script.open({}, { before: [{ definition: compress }] });
    const body = 'text '.repeat(1000);
    const type = { 'Content-Type': 'text/plain' };
    const rows = [
      ['max-age=600', 'br'],
      ['max-age=600, No-Transform', undefined],
    ] as const;
    for (const [index, [directives, expected]] of rows.entries()) {
      script.origin({ headers: { ...type, 'Cache-Control': directives }, body });
      for (const cache of ['MISS', 'HIT']) {
        const visit = await script.get(`/${index}`, { 'accept-encoding': 'br' });
        expect(visit, directives).to.include({ cache, text: body });
        expect(visit.headers['content-encoding'], directives).to.equal(expected);
      }
    }
  });

  it('5.2.2.3: must-understand stores a known status in spite of no-store', async () => {
    const script = await Script.open();
    const headers = { 'Cache-Control': 'max-age=600, must-understand, no-store' };
    expect((await script.again('/a', { headers })).cache).to.equal('HIT');
  });
});

/** A cache whose origin answers GET only when it is told to. */
async function slowScript(onGet: (go: () => void) => void) {
  const kit = await runCache((req, res) => {
    if (req.method !== 'GET') return { status: 204 };
    onGet(() => {
      res.setHeader('Cache-Control', 'max-age=600');
      res.end('old');
    });
    return undefined;
  });
  return { kit };
}
