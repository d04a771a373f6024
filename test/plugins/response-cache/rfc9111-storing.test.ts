import { request } from 'node:http';
import { expect } from 'chai';
import { until } from '../../support/until.js';
import { answering, startRawUpstream } from '../../support/upstream.js';
import { Script } from './exchange-script.js';

const FRESH = { 'Cache-Control': 'max-age=600' };

describe('response-cache, RFC 9111 section 3: storing responses', () => {
  it('3: stores a response to GET only, and never one to POST', async () => {
    const script = await Script.open();
    script.origin({ headers: FRESH });
    await script.send('POST', '/a');
    expect((await script.get('/a')).cache).to.equal('MISS');
    expect((await script.send('POST', '/a')).cache).to.equal('BYPASS');
  });

  it('3: stores no partial response as a whole one', async () => {
    const script = await Script.open({ statuses: [] });
    script.origin({ status: 206, headers: { ...FRESH, 'Content-Range': 'bytes 0-3/10' }, body: 'part' });
    expect((await script.get('/a', { range: 'bytes=0-3' })).status).to.equal(206);
    script.origin({ headers: FRESH, body: 'the whole' });
    expect(await script.get('/a')).to.include({ cache: 'MISS', text: 'the whole' });
  });

  it('3: does not give to others what a client got for its own Range or conditions', async () => {
    const script = await Script.open({ statuses: [] });
    const rows = [
      [{ range: 'bytes=999-' }, { status: 416, headers: { ...FRESH, 'Content-Range': 'bytes */9' } }],
      [{ 'if-none-match': '*' }, { status: 412, headers: FRESH }],
      [{ 'if-none-match': '"1"' }, { status: 304, headers: { ...FRESH, ETag: '"1"' } }],
    ] as const;
    const given: number[] = [];
    for (const [index, [fields, reply]] of rows.entries()) {
      script.origin({ ...reply, body: '' }, { headers: FRESH, body: 'the whole' });
      await script.get(`/${index}`, fields);
      const { status } = await script.get(`/${index}`);
      if (status !== 200) given.push(status);
    }
    expect(given).to.deep.equal([]);
  });

  it('3: stores no response with no-store', async () => {
    const script = await Script.open();
    const reply = { headers: { 'Cache-Control': 'max-age=600, No-Store' } };
    expect((await script.again('/a', reply)).cache).to.equal('MISS');
  });

  it('3: stores no response with private', async () => {
    const script = await Script.open();
    expect(
      (await script.again('/a', { headers: { 'Cache-Control': 'private, max-age=600' } })).cache,
    ).to.equal('MISS');
  });

  it('3: stores an unknown status with explicit freshness, but not with must-understand', async () => {
    const script = await Script.open({ statuses: [] });
    expect((await script.again('/a', { status: 299, headers: FRESH })).cache).to.equal('HIT');
    const reply = { status: 299, headers: { 'Cache-Control': 'max-age=600, must-understand' } };
    expect((await script.again('/b', reply)).cache).to.equal('MISS');
  });

  it('3: stores a status that is not heuristically cacheable only with explicit freshness or public', async () => {
    const script = await Script.open({ statuses: [], ttl: '1h' });
    const changed = { 'Last-Modified': script.kit.date(-36_000) };
    expect((await script.again('/a', { status: 403, headers: changed })).cache).to.equal('MISS');
    const reply = { status: 403, headers: { ...changed, 'Cache-Control': 'public' } };
    expect((await script.again('/b', reply)).cache).to.equal('HIT');
    expect((await script.again('/c', { status: 403, headers: FRESH })).cache).to.equal('HIT');
  });

  it('3: stores the final response, and nothing of an interim one before it', async () => {
    const upstream = await startRawUpstream(
      answering(
        'HTTP/1.1 103 Early Hints\r\nCache-Control: max-age=1\r\nX-Interim: 1\r\n\r\n' +
          'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\n\r\nfinal',
      ),
    );
    try {
      const script = await Script.open({ statuses: [] }, { service: { targets: [upstream.url] } });
      await script.get('/a');
      script.wait(300);
      const visit = await script.get('/a');
      expect(visit).to.include({ status: 200, cache: 'HIT', text: 'final' });
      expect(visit.headers).not.to.have.property('x-interim');
    } finally {
      await upstream.close();
    }
  });

  it('3.1: stores all fields but those of one connection, and those that Connection names', async () => {
    const upstream = await startRawUpstream(
      answering(
        'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nX-Unknown: kept\r\nX-Unknown: twice\r\nConnection: x-hop, keep-alive\r\n' +
          'X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Authentication-Info: a=b\r\n' +
          'Upgrade: foo\r\nTE: trailers\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    try {
      const script = await Script.open({}, { service: { targets: [upstream.url] } });
      await script.get('/a');
      const { cache, headers } = await script.get('/a');
      expect(cache).to.equal('HIT');
      expect(headers).to.include({ 'x-unknown': 'kept, twice', 'content-length': '2' });
      expect(headers).to.not.have.any.keys(
        'x-hop',
        'proxy-authenticate',
        'proxy-authentication-info',
        'upgrade',
        'te',
      );
    } finally {
      await upstream.close();
    }
  });

  it('3.1: does not add fields of the trailer to the head', async () => {
    const upstream = await startRawUpstream(
      answering(
        'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTrailer: X-After, Age\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '5\r\nwhole\r\n0\r\nX-After: 1\r\nAge: 500\r\nCache-Control: no-store\r\n\r\n',
      ),
    );
    try {
      const script = await Script.open({}, { service: { targets: [upstream.url] } });
      await script.get('/a');
      const visit = await script.get('/a');
      expect(visit).to.include({ cache: 'HIT', text: 'whole' });
      expect(visit.headers).to.include({ age: '0', 'cache-control': 'max-age=600', 'content-length': '5' });
      expect(visit.headers).not.to.have.any.keys('x-after', 'trailer', 'transfer-encoding');
    } finally {
      await upstream.close();
    }
  });

  it('3.2: a 304 replaces the stored fields, but not those that describe the stored body', async () => {
    const script = await Script.open();
    script.origin(
      {
        headers: { 'Cache-Control': 'max-age=10', ETag: '"1"', 'X-Kept': 'old', 'X-New': 'old' },
        body: 'stored',
      },
      {
        status: 304,
        headers: { 'Cache-Control': 'max-age=60', ETag: '"1"', 'X-New': 'new', 'Content-Encoding': 'br' },
      },
    );
    await script.get('/a');
    script.wait(11);
    for (const expected of ['REVALIDATED', 'HIT']) {
      const { cache, headers, text } = await script.get('/a');
      expect(cache).to.equal(expected);
      expect(text).to.equal('stored');
      expect(headers).to.include({
        'x-kept': 'old',
        'x-new': 'new',
        'content-length': '6',
        'cache-control': 'max-age=60',
      });
      expect(headers).not.to.have.property('content-encoding');
    }
  });

  it('3.2: a 304 replaces all lines of a field, and brings none that is not to be stored', async () => {
    const script = await Script.open();
    const headers = { 'Cache-Control': 'max-age=10, must-revalidate', ETag: '"1"' };
    script.origin(
      { headers: { ...headers, 'X-Lines': ['a', 'b'], Vary: ['X-A', 'X-B'] }, body: 'stored' },
      {
        status: 304,
        headers: {
          ETag: '"1"',
          'Cache-Control': 'max-age=20, private="X-Secret"',
          'X-Lines': ['c', 'd'],
          'X-Secret': '1',
          Connection: 'X-Hop',
          'X-Hop': '1',
          'Proxy-Authenticate': 'Basic',
          'Proxy-Authentication-Info': 'a=b',
          'Content-Length': '999',
        },
      },
    );
    await script.get('/a');
    script.wait(11);
    for (const expected of ['REVALIDATED', 'HIT']) {
      const visit = await script.get('/a');
      expect(visit).to.include({ cache: expected, text: 'stored' });
      expect(visit.headers).to.include({
        'x-lines': 'c, d',
        vary: 'X-A, X-B',
        'cache-control': 'max-age=20, private="X-Secret"',
        'content-length': '6',
      });
      expect(visit.headers).not.to.have.any.keys(
        'x-secret',
        'x-hop',
        'proxy-authenticate',
        'proxy-authentication-info',
      );
    }
  });

  for (const [name, head] of [
    ['shorter than its Content-Length', 'Content-Length: 100\r\n\r\nonly this'],
    ['whose chunks break off', 'Transfer-Encoding: chunked\r\n\r\n64\r\nonly this'],
  ] as const) {
    it(`3.3: stores no body ${name}`, async () => {
      let asked = 0;
      const upstream = await startRawUpstream(
        answering(() => {
          asked++;
          return `HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n${head}`;
        }, 'end'),
      );
      try {
        const script = await Script.open({}, { service: { targets: [upstream.url] } });
        for (const expected of [1, 2]) {
          await expectBroken(`${script.kit.url}/api/v1/demo/a`);
          expect(asked).to.equal(expected);
        }
        await script.kit.agent.get('/api/v1/gateway/cache').expect(/"size":0/);
      } finally {
        await upstream.close();
      }
    });
  }

  it('3.4: does not make a whole of parts, nor answers from one', async () => {
    const script = await Script.open({ statuses: [] });
    const part = (range: string, body: string) => ({
      status: 206,
      headers: { ...FRESH, ETag: '"1"', 'Content-Range': `bytes ${range}/4` },
      body,
    });
    script.origin(part('0-1', 'ab'), part('2-3', 'cd'), part('0-1', 'ab'), { headers: FRESH, body: 'abcd' });
    for (const range of ['0-1', '2-3', '0-1'])
      expect(await script.get('/a', { range: `bytes=${range}` })).to.include({ status: 206, cache: 'MISS' });
    expect(await script.get('/a')).to.include({ status: 200, cache: 'MISS', text: 'abcd' });
  });

  it('3.5: reuses no response to a request with Authorization, unless the response says so', async () => {
    const script = await Script.open();
    const authorization = { authorization: 'Bearer secret' };
    const rows = {
      'max-age=600': 'MISS',
      'max-age=600, public': 'HIT',
      'max-age=600, must-revalidate': 'HIT',
      's-maxage=600': 'HIT',
    };
    for (const [directives, expected] of Object.entries(rows)) {
      const path = `/${encodeURIComponent(directives)}`;
      script.origin({ headers: { 'Cache-Control': directives } });
      await script.get(path, authorization);
      expect((await script.get(path)).cache, directives).to.equal(expected);
    }
  });

  it('3.5: what it reuses of these it validates once it is stale, and others not at all', async () => {
    const script = await Script.open({ staleIfError: '1h', staleWhileRevalidate: '1h' });
    const authorization = { authorization: 'Bearer secret' };
    for (const directives of ['max-age=10, must-revalidate', 's-maxage=10']) {
      const path = `/${encodeURIComponent(directives)}`;
      script.origin({ headers: { 'Cache-Control': directives } }, { status: 503 });
      await script.get(path, authorization);
      expect((await script.get(path)).cache, directives).to.equal('HIT');
      script.wait(11);
      expect(await script.get(path), directives).to.include({ status: 503, cache: 'MISS' });
    }
    for (const directives of [
      'max-age=600, proxy-revalidate',
      'max-age=600, private',
      'max-age=600, no-cache',
    ]) {
      const path = `/${encodeURIComponent(directives)}`;
      script.origin({ headers: { 'Cache-Control': directives } });
      await script.get(path, authorization);
      expect((await script.get(path)).cache, directives).to.equal('MISS');
    }
  });

  it('7.3: stores no response that sets a cookie', async () => {
    const script = await Script.open();
    const reply = { headers: { ...FRESH, 'Set-Cookie': 'session=1' } };
    expect((await script.again('/a', reply)).cache).to.equal('MISS');
  });

  it('7.3: stores it with its cookies where it is told to, and replaces them by those of a 304', async () => {
    const script = await Script.open({ storeSetCookie: true });
    const headers = { 'Cache-Control': 'max-age=10', ETag: '"1"', 'Set-Cookie': ['a=1', 'b=1'] };
    const first = await script.again('/a', { headers });
    expect(first).to.include({ cache: 'HIT' });
    expect(first.cookies).to.deep.equal(['a=1', 'b=1']);
    script.origin({ status: 304, headers: { ETag: '"1"', 'Set-Cookie': 'a=2' } });
    script.wait(11);
    const freshened = await script.get('/a');
    expect(freshened).to.include({ cache: 'REVALIDATED' });
    expect(freshened.cookies).to.deep.equal(['a=2']);
    const hit = await script.get('/a');
    expect(hit).to.include({ cache: 'HIT' });
    expect(hit.cookies).to.deep.equal(['a=2']);
  });

  it('gives nothing that nobody said to be for all to requests with credentials, nor stores what those get', async () => {
    const script = await Script.open();
    script.origin({});
    await script.get('/a');
    for (const fields of [{ cookie: 'session=1' }, { authorization: 'Bearer secret' }]) {
      expect((await script.get('/a', fields)).cache).to.equal('MISS');
      await script.get('/b', fields);
      await script.get('/b', fields);
    }
    expect((await script.get('/a')).cache).to.equal('HIT');
    expect((await script.get('/b')).cache).to.equal('MISS');
  });

  it('stores no stream of events', async () => {
    const script = await Script.open();
    const reply = { headers: { ...FRESH, 'Content-Type': 'text/event-stream' } };
    expect((await script.again('/a', reply)).cache).to.equal('MISS');
  });
});

/** Asks for a response that does not come to its end. */
async function expectBroken(url: string): Promise<void> {
  let broken = false;
  const req = request(url, (res) => {
    res.on('error', () => {
      broken = true;
    });
    res.resume();
  });
  req.on('error', () => {
    broken = true;
  });
  req.end();
  await until('the break', () => broken);
}
