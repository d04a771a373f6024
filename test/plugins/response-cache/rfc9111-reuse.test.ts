import { expect } from 'chai';
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

  it('5.2.1: max-age, min-fresh, max-stale, no-cache and Pragma of requests are heeded', async () => {
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
