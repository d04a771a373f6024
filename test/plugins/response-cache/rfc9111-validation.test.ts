import { expect } from 'chai';
import { Script } from './exchange-script.js';

const TAGGED = { 'Cache-Control': 'max-age=10', ETag: '"1"' };

describe('response-cache, RFC 9111 section 4.3: validation', () => {
  it('4.3.1: asks with If-None-Match and If-Modified-Since of the stored response', async () => {
    const script = await Script.open();
    const modified = script.kit.date(-1000);
    const visit = await script.again('/a', { headers: { ...TAGGED, 'Last-Modified': modified } }, 11);
    expect(visit.seen?.headers).to.include({ 'if-none-match': '"1"', 'if-modified-since': modified });
  });

  it('4.3.1: the conditions and ranges of the client do not reach the upstream then', async () => {
    const script = await Script.open();
    const fields = { 'if-none-match': '"9"', range: 'bytes=0-1', 'if-range': '"9"' };
    const visit = await script.again('/a', { headers: TAGGED }, 11, fields);
    expect(visit.seen?.headers).to.include({ 'if-none-match': '"1"' });
    expect(visit.seen?.headers).not.to.have.any.keys('range', 'if-range');
  });

  it('4.3.1: without a stored response they do, as they are', async () => {
    const script = await Script.open();
    const { seen } = await script.get('/a', { 'if-none-match': '"9"', range: 'bytes=0-1' });
    expect(seen?.headers).to.include({ 'if-none-match': '"9"', range: 'bytes=0-1' });
  });

  it('4.3.2: answers If-None-Match with 304 from a fresh response, comparing weakly', async () => {
    const script = await Script.open();
    const stored = {
      headers: { 'Cache-Control': 'max-age=60', ETag: 'W/"1"', 'Content-Language': 'en', 'X-Other': '1' },
    };
    const rows = { 'W/"1"': 304, '"1"': 304, '"0", "1" , "2"': 304, '*': 304, '"2"': 200, 'W/"11"': 200 };
    for (const [index, [tags, status]] of Object.entries(rows).entries()) {
      const visit = await script.again(`/${index}`, stored, 5, { 'if-none-match': tags });
      expect(visit, tags).to.include({ status, cache: 'HIT' });
      if (status === 304) {
        expect(visit.headers).to.include({ etag: 'W/"1"', 'cache-control': 'max-age=60', age: '5' });
        expect(visit.headers).to.include.keys('date');
        expect(visit.headers).not.to.have.any.keys('content-length', 'content-language');
      }
    }
  });

  it('4.3.2: If-None-Match wins over If-Modified-Since', async () => {
    const script = await Script.open();
    const fields = { 'if-none-match': '"2"', 'if-modified-since': script.kit.date(100) };
    expect((await script.again('/a', { headers: TAGGED }, 0, fields)).status).to.equal(200);
  });

  it('4.3.2: answers If-Modified-Since by Last-Modified, and by Date without one', async () => {
    const script = await Script.open();
    const rows = [
      [-1000, -1000, 304],
      [-1000, -500, 304],
      [-1000, -1001, 200],
      [undefined, 0, 304],
      [undefined, -1, 200],
    ] as const;
    for (const [index, [modified, since, status]] of rows.entries()) {
      const { date } = script.kit;
      const headers = {
        'Cache-Control': 'max-age=10',
        ...(modified === undefined ? {} : { 'Last-Modified': date(modified) }),
      };
      const visit = await script.again(`/${index}`, { headers }, 0, { 'if-modified-since': date(since) });
      expect(visit.status, String(index)).to.equal(status);
    }
    const broken = { 'if-modified-since': 'yesterday' };
    expect((await script.again('/x', { headers: TAGGED }, 0, broken)).status).to.equal(200);
  });

  it('4.3.2: answers If-Modified-Since by the time of arrival where there is no Date either', async () => {
    const script = await Script.open();
    const reply = { headers: { 'Cache-Control': 'max-age=60', Date: [] } };
    for (const [index, [since, status]] of (
      [
        [0, 304],
        [-1, 200],
      ] as const
    ).entries()) {
      const asked = { 'if-modified-since': script.kit.date(since) };
      expect((await script.again(`/${index}`, reply, 5, asked)).status).to.equal(status);
    }
  });

  it('4.3.2: leaves the conditions of other methods to the origin', async () => {
    const script = await Script.open();
    for (const method of ['PUT', 'DELETE', 'POST']) {
      script.origin({ headers: TAGGED }, { status: 412 });
      await script.get(`/${method}`);
      const visit = await script.send(method, `/${method}`, { 'if-none-match': '*' });
      expect(visit, method).to.include({ status: 412, cache: 'BYPASS' });
      expect(visit.seen?.headers).to.include({ 'if-none-match': '*' });
    }
  });

  it('4.3.2: a 304 to a tag that the client does not have becomes a 200', async () => {
    const script = await Script.open();
    script.origin({ headers: TAGGED, body: 'stored' }, { status: 304, headers: { ...TAGGED, 'X-New': '1' } });
    await script.get('/a');
    script.wait(11);
    const visit = await script.get('/a', { 'if-none-match': '"9", W/"8"' });
    expect(visit).to.include({ status: 200, cache: 'REVALIDATED', text: 'stored' });
    expect(visit.headers).to.include({ 'x-new': '1', etag: '"1"' });
  });

  it('4.3.2: leaves If-Match and If-Unmodified-Since to the origin', async () => {
    const script = await Script.open();
    for (const name of ['if-match', 'if-unmodified-since']) {
      script.origin({ headers: TAGGED }, { status: 412 });
      await script.get(`/${name}`);
      const visit = await script.get(`/${name}`, {
        [name]: name === 'if-match' ? '"2"' : script.kit.date(-100),
      });
      expect(visit).to.include({ status: 412, cache: 'BYPASS' });
    }
  });

  it('4.3.3: a 304 lets the stored response be used, and makes it fresh', async () => {
    const script = await Script.open();
    script.origin({ headers: TAGGED, body: 'stored' }, { status: 304, headers: TAGGED });
    await script.get('/a');
    script.wait(11);
    const visit = await script.get('/a');
    expect(visit).to.include({ status: 200, cache: 'REVALIDATED', text: 'stored' });
    expect(visit.headers).to.include({
      age: '0',
      'x-cache-ttl': '10',
      'cache-status': 'gateway; fwd=stale; fwd-status=304; ttl=10',
    });
    script.wait(9);
    expect(await script.get('/a')).to.include({ cache: 'HIT', text: 'stored' });
    expect(script.kit.asked()).to.equal(2);
  });

  it('4.3.3: the client’s own conditions are answered after that', async () => {
    const script = await Script.open();
    script.origin({ headers: TAGGED, body: 'stored' }, { status: 304 });
    await script.get('/a');
    script.wait(11);
    expect(await script.get('/a', { 'if-none-match': '"1"' })).to.include({
      status: 304,
      cache: 'REVALIDATED',
    });
    script.wait(311);
    const part = await script.get('/a', { range: 'bytes=0-2' });
    expect(part).to.include({ status: 206, cache: 'REVALIDATED', text: 'sto' });
  });

  it('4.3.3: a full response takes the place of the stored one', async () => {
    const script = await Script.open();
    script.origin({ headers: TAGGED }, { headers: { ...TAGGED, ETag: '"2"' }, body: 'second' });
    await script.get('/a');
    script.wait(11);
    expect(await script.get('/a')).to.include({ cache: 'MISS', text: 'second' });
    expect(await script.get('/a')).to.include({ cache: 'HIT', text: 'second' });
  });

  it('4.3.3: a failure is passed on, or answered stale where that is allowed', async () => {
    for (const [staleIfError, expected] of [
      [0, { status: 503, cache: 'MISS', text: 'down' }],
      ['1m', { status: 200, cache: 'STALE', text: 'stored' }],
    ] as const) {
      const script = await Script.open({ staleIfError });
      script.origin({ headers: TAGGED, body: 'stored' }, { status: 503, body: 'down' });
      await script.get('/a');
      script.wait(11);
      expect(await script.get('/a')).to.include(expected);
    }
  });

  it('4.3.4: a 304 about another representation is not used: the upstream is asked again', async () => {
    const script = await Script.open();
    script.origin(
      { headers: TAGGED },
      { status: 304, headers: { ETag: '"2"' } },
      { headers: TAGGED, body: 'asked again' },
    );
    await script.get('/a');
    script.wait(11);
    const visit = await script.get('/a');
    expect(visit).to.include({ status: 200, text: 'asked again' });
    expect(visit.seen?.headers).not.to.have.any.keys('if-none-match', 'if-modified-since');
    expect(script.kit.asked()).to.equal(3);
  });

  it('4.3.4: a 304 updates only a response that has one of its validators', async () => {
    const script = await Script.open();
    const old = script.kit.date(-1000);
    const young = script.kit.date(-500);
    const rows = [
      [{ ETag: '"1"' }, { ETag: '"1"' }, true],
      [{ ETag: 'W/"1"' }, { ETag: 'W/"1"' }, true],
      [{ ETag: '"1"' }, {}, true],
      [{ 'Last-Modified': old }, { 'Last-Modified': old }, true],
      [{ ETag: '"1"', 'Last-Modified': old }, { ETag: '"1"', 'Last-Modified': old }, true],
      [{ ETag: '"1"' }, { ETag: '"2"' }, false],
      [{ ETag: 'W/"1"' }, { ETag: 'W/"2"' }, false],
      [{ ETag: '"1"' }, { ETag: 'W/"2"' }, false],
      [{ ETag: 'W/"1"' }, { ETag: '"2"' }, false],
      [{ 'Last-Modified': old }, { ETag: '"2"' }, false],
      [{ 'Last-Modified': old }, { 'Last-Modified': young }, false],
    ] as const;
    const wrong: string[] = [];
    for (const [index, [stored, received, updates]] of rows.entries()) {
      script.origin(
        { headers: { 'Cache-Control': 'max-age=10', ...stored }, body: 'stored' },
        { status: 304, headers: { 'Cache-Control': 'max-age=10', ...received } },
        { headers: { 'Cache-Control': 'max-age=10' }, body: 'asked again' },
      );
      await script.get(`/${index}`);
      script.wait(11);
      const { text } = await script.get(`/${index}`);
      if (text !== (updates ? 'stored' : 'asked again'))
        wrong.push(`${JSON.stringify(stored)} then 304 ${JSON.stringify(received)}: ${text}`);
    }
    expect(wrong).to.deep.equal([]);
  });

  it('4.3.5: a HEAD response that fits makes the stored response fresh, one that does not removes it', async () => {
    const script = await Script.open({ staleIfError: 0 });
    const stored = {
      headers: { 'Cache-Control': 'max-age=10', 'Last-Modified': script.kit.date(-50) },
      body: 'stored',
    };
    const rows = [
      [{ 'Content-Length': '6' }, 'HIT'],
      [{ 'Content-Length': '7' }, 'MISS'],
      [{ ETag: '"2"' }, 'MISS'],
      [{ 'Last-Modified': script.kit.date(-1) }, 'MISS'],
    ] as const;
    for (const [index, [fields, expected]] of rows.entries()) {
      script.origin(stored, { headers: { 'Cache-Control': 'max-age=60', ...fields } });
      await script.get(`/${index}`);
      script.wait(11);
      const head = await script.send('HEAD', `/${index}`);
      expect(head.cache).to.equal('MISS');
      const after = await script.get(`/${index}`);
      expect(after.cache, JSON.stringify(fields)).to.equal(expected);
      if (expected === 'HIT') expect(after).to.include({ text: 'stored' });
    }
  });

  it('4.3.5: the fields of such a HEAD response are those of the stored response from then on', async () => {
    const script = await Script.open();
    script.origin(
      { headers: { ...TAGGED, 'X-Old': '1', 'X-Both': 'get' }, body: 'stored' },
      { headers: { 'Cache-Control': 'max-age=60', ETag: '"1"', 'X-Both': 'head', 'Content-Length': '6' } },
      { status: 500 },
    );
    await script.get('/a');
    script.wait(11);
    await script.send('HEAD', '/a');
    script.wait(50);
    const visit = await script.get('/a');
    expect(visit).to.include({ status: 200, cache: 'HIT', text: 'stored' });
    expect(visit.headers).to.include({
      'x-old': '1',
      'x-both': 'head',
      'cache-control': 'max-age=60',
      'content-length': '6',
      age: '50',
    });
  });

  it('5.2.2.4: a response with no-cache is stored, and validated for each use', async () => {
    const script = await Script.open();
    const headers = { 'Cache-Control': 'no-cache, max-age=600', ETag: '"1"' };
    script.origin({ headers, body: 'stored' }, { status: 304, headers });
    await script.get('/a');
    for (let i = 0; i < 2; i++) {
      const visit = await script.get('/a');
      expect(visit).to.include({ cache: 'REVALIDATED', text: 'stored' });
      expect(visit.seen?.headers).to.include({ 'if-none-match': '"1"' });
    }
  });

  it('5.2.1.4: no-cache of a request has the stored response validated', async () => {
    const script = await Script.open();
    script.origin({ headers: TAGGED, body: 'stored' }, { status: 304, headers: TAGGED });
    await script.get('/a');
    const visit = await script.get('/a', { 'cache-control': 'no-cache' });
    expect(visit).to.include({ cache: 'REVALIDATED', text: 'stored' });
    expect(visit.headers['cache-status']).to.equal('gateway; fwd=request; fwd-status=304; ttl=10');
  });
});

describe('response-cache, RFC 9110 section 14: ranges', () => {
  const stored = {
    headers: { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Type': 'text/plain' },
    body: '0123456789',
  };

  it('answers a single range from the stored whole', async () => {
    const script = await Script.open();
    const rows = [
      ['bytes=0-1', 206, '01', 'bytes 0-1/10'],
      ['bytes=8-', 206, '89', 'bytes 8-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
      ['bytes=-100', 206, '0123456789', 'bytes 0-9/10'],
      ['bytes=10-', 416, '', 'bytes */10'],
      ['bytes=-0', 416, '', 'bytes */10'],
      ['bytes=2-1', 200, '0123456789', undefined],
      ['bytes=0-1,3-4', 200, '0123456789', undefined],
      ['items=0-1', 200, '0123456789', undefined],
    ] as const;
    for (const [range, status, text, contentRange] of rows) {
      const visit = await script.again('/a', stored, 0, { range });
      expect(visit, range).to.include({ status, text, cache: 'HIT' });
      expect(visit.headers['content-range'], range).to.equal(contentRange);
      expect(visit.headers['content-length'], range).to.equal(String(text.length));
    }
  });

  it('heeds If-Range with the stored strong ETag or an old date only', async () => {
    const script = await Script.open();
    const old = script.kit.date(-1000);
    const young = script.kit.date(-10);
    const rows = [
      [{ ETag: '"1"' }, '"1"', 206],
      [{ ETag: '"1"' }, '"2"', 200],
      [{ ETag: 'W/"1"' }, 'W/"1"', 200],
      [{ 'Last-Modified': old }, old, 206],
      [{ 'Last-Modified': young }, young, 200],
      [{ 'Last-Modified': old }, young, 200],
    ] as const;
    for (const [index, [headers, ifRange, status]] of rows.entries()) {
      const reply = { headers: { 'Cache-Control': 'max-age=60', ...headers }, body: '0123456789' };
      const visit = await script.again(`/${index}`, reply, 0, { range: 'bytes=0-1', 'if-range': ifRange });
      expect(visit.status, String(index)).to.equal(status);
    }
  });
});
