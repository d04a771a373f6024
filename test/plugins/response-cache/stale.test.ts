import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { GatewayError } from '../../../core/index.js';
import { until } from '../../support/until.js';
import { Script } from './exchange-script.js';
import { runCache } from './kit.js';
import { middleware } from './small-plugins.js';

describe('response-cache: stale-if-error (RFC 5861 section 4)', () => {
  const stored = { headers: { 'Cache-Control': 'max-age=10, stale-if-error=60' }, body: 'stored' };

  it('answers for a dead upstream, for as long as the response says', async () => {
    const script = await Script.open({ staleIfError: 0 });
    script.origin(stored);
    await script.get('/a');
    await script.kit.upstream.close();
    script.wait(11);
    for (let i = 0; i < 2; i++) {
      const visit = await script.get('/a');
      expect(visit).to.include({ status: 200, cache: 'STALE', text: 'stored' });
      expect(visit.headers).to.include({
        age: '11',
        'x-cache-ttl': '0',
        'cache-status': 'gateway; fwd=stale; ttl=-1',
      });
    }
    script.wait(58);
    expect(await script.get('/a')).to.include({ status: 200, cache: 'STALE' });
    script.wait(2);
    expect(await script.get('/a')).to.include({ status: 503, cache: 'MISS' });
  });

  it('answers for one that says 500, 502, 503 or 504, and for no other error', async () => {
    const script = await Script.open({ staleIfError: 0 });
    for (const status of [500, 502, 503, 504, 501, 404, 429]) {
      script.origin(stored, { status, body: 'error' });
      await script.get(`/${status}`);
      script.wait(11);
      const expected = [500, 502, 503, 504].includes(status)
        ? { status: 200, cache: 'STALE', text: 'stored' }
        : { status, cache: 'MISS', text: 'error' };
      expect(await script.get(`/${status}`)).to.include(expected);
    }
  });

  it('answers where the gateway refuses to ask, because the circuit is open for example', async () => {
    let open = false;
    const circuit = middleware('circuit', (_ctx, next) => {
      if (open) throw new GatewayError('SERVICE_UNAVAILABLE', { headers: { 'Retry-After': '30' } });
      return next();
    });
    const script = await Script.open({}, { after: [{ definition: circuit }] });
    script.origin(stored);
    await script.get('/a');
    script.wait(11);
    open = true;
    expect(await script.get('/a')).to.include({ status: 200, cache: 'STALE', text: 'stored' });
    expect(await script.get('/other')).to.include({ status: 503, cache: 'MISS' });
  });

  it('holds for as long as the operator says where the response says nothing', async () => {
    const script = await Script.open({ staleIfError: '1h' });
    script.origin({ headers: { 'Cache-Control': 'max-age=10' }, body: 'stored' }, { status: 503 });
    await script.get('/a');
    script.wait(3600);
    expect(await script.get('/a')).to.include({ status: 200, cache: 'STALE' });
    script.wait(11);
    expect(await script.get('/a')).to.include({ status: 503 });
  });

  it('Cache-Status says that the upstream was asked, and what it said (RFC 9211 sections 2.1 to 2.3)', async () => {
    const script = await Script.open();
    script.origin(stored, { status: 503 });
    await script.get('/a');
    script.wait(11);
    const visit = await script.get('/a');
    expect(visit).to.include({ cache: 'STALE', text: 'stored' });
    expect(visit.headers['cache-status']).to.equal('gateway; fwd=stale; fwd-status=503; ttl=-1');
  });

  it('does not keep what the upstream said in its failure', async () => {
    const script = await Script.open();
    script.origin(stored, {
      status: 503,
      headers: { 'X-Trouble': 'yes', 'Content-Type': 'text/html' },
      body: 'error',
    });
    await script.get('/a');
    script.wait(11);
    const { headers } = await script.get('/a');
    expect(headers).not.to.have.any.keys('x-trouble', 'content-type');
  });
});

describe('response-cache: stale-while-revalidate (RFC 5861 section 3)', () => {
  const stored = {
    headers: { 'Cache-Control': 'max-age=10, stale-while-revalidate=60', ETag: '"1"' },
    body: 'stored',
  };

  it('answers at once with a slow upstream, and asks it once', async () => {
    const slow: ServerResponse[] = [];
    const kit = await runCache((_req, res, count) => {
      if (count === 1) return stored;
      slow.push(res);
      return undefined;
    });
    const get = () => kit.agent.get('/api/v1/demo/a').expect(200);
    await get();
    kit.clock.tick(11_000);
    for (let i = 0; i < 3; i++) {
      const { headers, text } = await get();
      expect(headers).to.include({ 'x-cache-status': 'STALE', 'cache-status': 'gateway; hit; ttl=-1' });
      expect(text).to.equal('stored');
    }
    await until('the refreshment', () => slow.length === 1);
    slow[0]?.setHeader('Cache-Control', 'max-age=10').end('new');
    await until('the new response', async () => (await get()).text === 'new');
    expect(kit.asked()).to.equal(2);
  });

  it('takes a 304 in the background', async () => {
    const script = await Script.open();
    script.origin(stored, { status: 304, headers: stored.headers });
    await script.get('/a');
    script.wait(11);
    const visit = await script.get('/a', { range: 'bytes=0-1' });
    expect(visit).to.include({ status: 206, cache: 'STALE', text: 'st' });
    await until('the refreshment', async () => (await script.get('/a')).cache === 'HIT');
    expect(script.kit.asked()).to.equal(2);
    expect(script.kit.upstream.requests[1]?.rawHeaders).to.include('"1"');
    expect(script.kit.upstream.requests[1]?.rawHeaders.join()).not.to.match(/bytes=/);
  });

  it('ends with its time, and a failure in the background does no harm', async () => {
    const script = await Script.open({ staleIfError: 0 });
    script.origin(stored, { status: 503 });
    await script.get('/a');
    script.wait(11);
    for (let i = 0; i < 3; i++) {
      expect(await script.get('/a')).to.include({ cache: 'STALE', text: 'stored' });
      const before = script.kit.asked();
      await until('an end', () => script.kit.upstream.activeRequests() === 0 && script.kit.asked() >= before);
    }
    script.wait(60);
    expect(await script.get('/a')).to.include({ status: 503, cache: 'MISS' });
  });

  it('a failure in the background does not take the place of what may be served for it', async () => {
    const script = await Script.open({ statuses: [] });
    const control = 'max-age=10, stale-while-revalidate=60, stale-if-error=600';
    const failure = { status: 503, headers: { 'Cache-Control': 'max-age=60' }, body: 'failure' };
    script.origin({ headers: { 'Cache-Control': control }, body: 'stored' }, failure);
    await script.get('/a');
    script.wait(11);
    expect(await script.get('/a')).to.include({ cache: 'STALE', text: 'stored' });
    const failures = async () =>
      (await script.kit.agent.get('/api/v1/gateway/cache').expect(200)).body.refresh_failures;
    await until('the failure', async () => (await failures()) === 1);
    expect(script.kit.asked()).to.equal(2);
    expect(await script.get('/a')).to.include({ status: 200, cache: 'STALE', text: 'stored' });
  });

  it('a body that breaks off in the background is not kept, and is fetched anew', async () => {
    const slow: ServerResponse[] = [];
    const kit = await runCache((_req, res, count) => {
      if (count === 1) return stored;
      slow.push(res);
      return undefined;
    });
    const text = async () => (await kit.agent.get('/api/v1/demo/a').expect(200)).text;
    await text();
    kit.clock.tick(11_000);
    await text();
    await until('the refreshment', () => slow.length === 1);
    slow[0]?.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': '10' }).write('half');
    slow[0]?.destroy();
    await until('another one', async () => (await text()) === 'stored' && slow.length === 2);
    slow[1]?.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('whole');
    await until('the new response', async () => (await text()) === 'whole');
  });

  it('HEAD has it fetched anew too', async () => {
    const script = await Script.open();
    script.origin(stored, { status: 304, headers: stored.headers });
    await script.get('/a');
    script.wait(11);
    expect(await script.send('HEAD', '/a')).to.include({ status: 200, cache: 'STALE' });
    await until('the refreshment', () => script.kit.asked() === 2);
  });

  it('is off for what must be revalidated', async () => {
    const script = await Script.open();
    const headers = { 'Cache-Control': 'max-age=10, stale-while-revalidate=60, must-revalidate' };
    expect((await script.again('/a', { headers }, 11)).cache).to.equal('MISS');
  });

  it('goes through the plugins inside, and leaves the answer and its log line as they are', async () => {
    let passed = 0;
    const inside = middleware('inside', (_ctx, next) => {
      passed++;
      return next();
    });
    const script = await Script.open({}, { after: [{ definition: inside }] });
    script.origin(stored, { status: 500, body: 'error' });
    await script.get('/a');
    script.wait(11);
    expect(await script.get('/a')).to.include({ status: 200, cache: 'STALE' });
    await until('the refreshment', () => script.kit.asked() === 2);
    expect(passed).to.equal(2);
  });
});
