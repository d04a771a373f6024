import { expect } from 'chai';
import { Script } from './exchange-script.js';
import { type CacheKit, type Reply, runCache } from './kit.js';

/** What a response says, how many seconds pass, and what the second request gets. */
type Row = readonly [headers: Record<string, string | string[]>, seconds: number, expected: string];

async function expectRows(
  rows: readonly Row[],
  options: object = {},
  more: Partial<Reply> = {},
): Promise<void> {
  const script = await Script.open({ undeclared: 'heuristic', ttl: '1h', statuses: [], ...options });
  for (const [index, [headers, seconds, expected]] of rows.entries()) {
    const dated = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === 'string' ? dates(script, value) : value,
      ]),
    );
    const { cache } = await script.again(`/${index}`, { ...more, headers: dated }, seconds);
    expect(cache, `${JSON.stringify(headers)} after ${seconds} s`).to.equal(expected);
  }
}

/** `{60}` stands for the date in a minute. */
function dates(script: Script, text: string): string {
  return text.replace(/\{(-?\d+)\}/g, (_, seconds) => script.kit.date(Number(seconds)));
}

describe('response-cache, RFC 9111 sections 4.2 and 5: freshness', () => {
  it('4.2: uses a fresh response without asking, and a stale one not', () =>
    expectRows([
      [{ 'Cache-Control': 'max-age=60' }, 59, 'HIT'],
      [{ 'Cache-Control': 'max-age=60' }, 60, 'MISS'],
      [{}, 0, 'MISS'],
    ]));

  it('4.2: reads dates in their three forms, without regard to case, and only those', () =>
    expectRows([
      [{ Expires: 'Sunday, 06-Nov-44 08:49:37 GMT' }, 0, 'HIT'],
      [{ Expires: 'Sun Nov  6 08:49:37 2044' }, 0, 'HIT'],
      [{ Expires: 'SUN, 06 NOV 2044 08:49:37 gmt' }, 0, 'HIT'],
      [{ Expires: 'Sun, 06 Nov 2044 08:49:37 UTC' }, 0, 'MISS'],
      [{ Expires: '2044-11-06T08:49:37Z' }, 0, 'MISS'],
    ]));

  it('4.2: the time zone of the machine does not matter', async () => {
    const before = process.env.TZ;
    try {
      for (const zone of ['America/Los_Angeles', 'Asia/Kolkata']) {
        process.env.TZ = zone;
        await expectRows([
          [{ Expires: '{60}' }, 59, 'HIT'],
          [{ Expires: '{60}' }, 61, 'MISS'],
          [{ 'Cache-Control': 'max-age=60', Date: '{-50}' }, 9, 'HIT'],
          [{ 'Cache-Control': 'max-age=60', Date: '{-50}' }, 10, 'MISS'],
          [{ Expires: 'Mon Jan  1 12:30:00 2024' }, 0, 'HIT'],
        ]);
      }
    } finally {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    }
  });

  it('4.2.1: s-maxage wins over max-age, and that over Expires', () =>
    expectRows([
      [{ 'Cache-Control': 'max-age=1, s-maxage=60', Expires: '{0}' }, 30, 'HIT'],
      [{ 'Cache-Control': 's-maxage=1, max-age=60' }, 30, 'MISS'],
      [{ 'Cache-Control': 'max-age=60', Expires: '{-10}' }, 30, 'HIT'],
      [{ 'Cache-Control': 'max-age=1', Expires: '{600}' }, 30, 'MISS'],
      [{ Expires: '{60}' }, 59, 'HIT'],
      [{ Expires: '{60}' }, 61, 'MISS'],
    ]));

  it('4.2.1: the first of two directives counts, and a malformed one makes a response stale', () =>
    expectRows([
      [{ 'Cache-Control': 'max-age=60, max-age=1' }, 30, 'HIT'],
      [{ 'Cache-Control': ['max-age=1', 'max-age=60'] }, 30, 'MISS'],
      [{ 'Cache-Control': 'max-age=abc', Expires: '{600}' }, 0, 'MISS'],
      [{ 'Cache-Control': 'max-age=-5' }, 0, 'MISS'],
      [{ 'Cache-Control': "max-age='60'" }, 0, 'MISS'],
    ]));

  it('4.2.1: of conflicting directives the most restrictive counts, of two Expires lines the first', () =>
    expectRows([
      [{ 'Cache-Control': 'max-age=600, no-cache', ETag: '"1"' }, 0, 'MISS'],
      [{ 'Cache-Control': 'public, no-store, max-age=600' }, 0, 'MISS'],
      [{ 'Cache-Control': 'private, public, max-age=600' }, 0, 'MISS'],
      [{ 'Cache-Control': 'no-cache="x-a", no-cache, max-age=600', ETag: '"1"' }, 0, 'MISS'],
      [
        { Expires: [new Date(Date.UTC(2024, 0, 1)).toUTCString(), 'Sun, 06 Nov 2044 08:49:37 GMT'] },
        0,
        'MISS',
      ],
    ]));

  it('4.2.2: guesses only where nothing is declared, for cacheable statuses, a tenth of the age', async () => {
    await expectRows([
      [{ 'Last-Modified': '{-1000}' }, 99, 'HIT'],
      [{ 'Last-Modified': '{-1000}', 'Cache-Control': 'max-age=1' }, 0, 'HIT'],
      [{ 'Last-Modified': '{-100000}' }, 3599, 'HIT'],
    ]);
    await expectRows([[{ 'Last-Modified': '{-1000}' }, 0, 'MISS']], {}, { status: 403 });
    await expectRows([[{ 'Last-Modified': '{-1000}' }, 0, 'HIT']], {}, { status: 404 });
    await expectRows([[{ 'Last-Modified': '{-1000}' }, 0, 'MISS']], { undeclared: 'never' });
  });

  it('4.2.2: guesses nothing where an expiration is declared, not even a malformed one', () =>
    expectRows([
      [{ 'Last-Modified': '{-1000}', 'Cache-Control': 'max-age=1' }, 2, 'MISS'],
      [{ 'Last-Modified': '{-1000}', 'Cache-Control': 's-maxage=1' }, 2, 'MISS'],
      [{ 'Last-Modified': '{-1000}', Expires: '{1}' }, 2, 'MISS'],
      [{ 'Last-Modified': '{-1000}', Expires: '0' }, 0, 'MISS'],
      [{ 'Last-Modified': '{-1000}', 'Cache-Control': 'max-age=soon' }, 0, 'MISS'],
    ]));

  it('4.2.2: the statuses for which it guesses are those of RFC 9110 section 15.1', async () => {
    for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
      await expectRows([[{ 'Last-Modified': '{-1000}' }, 99, 'HIT']], {}, { status, body: '' });
    for (const status of [201, 202, 205, 302, 303, 307, 400, 401, 403, 429, 500, 502, 503, 504])
      await expectRows([[{ 'Last-Modified': '{-1000}' }, 0, 'MISS']], {}, { status, body: '' });
  });

  it('4.2.2: an old guess is revalidated or asked for anew', async () => {
    const script = await Script.open({ undeclared: 'heuristic' });
    const headers = { 'Last-Modified': script.kit.date(-1000) };
    const visit = await script.again('/a', { headers }, 101);
    expect(visit.cache).to.equal('MISS');
    expect(visit.seen?.headers).to.include({ 'if-modified-since': headers['Last-Modified'] });
  });

  it('4.2.3: the age is the larger of what Age and Date tell, and grows', async () => {
    await expectRows([
      [{ 'Cache-Control': 'max-age=60', Age: '50' }, 9, 'HIT'],
      [{ 'Cache-Control': 'max-age=60', Age: '50' }, 10, 'MISS'],
      [{ 'Cache-Control': 'max-age=60', Date: '{-50}' }, 9, 'HIT'],
      [{ 'Cache-Control': 'max-age=60', Date: '{-50}' }, 10, 'MISS'],
      [{ 'Cache-Control': 'max-age=60', Date: '{500}' }, 59, 'HIT'],
    ]);
    const script = await Script.open();
    const { headers } = await script.again(
      '/a',
      { headers: { 'Cache-Control': 'max-age=600', Age: '30' } },
      12,
    );
    expect(headers).to.include({ age: '42', 'x-cache-ttl': '558' });
  });

  it('4.2.3: the time from the request to the response counts', async () => {
    const kit: CacheKit = await runCache(() => {
      kit.clock.tick(10_000);
      return { headers: { 'Cache-Control': 'max-age=60', Age: '20', Date: kit.date() } };
    });
    await kit.agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS').expect('X-Cache-TTL', '30');
    await kit.agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'HIT').expect('Age', '30');
    kit.clock.tick(30_000);
    await kit.agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
  });

  it('4.2.4: serves nothing stale that must be revalidated, not even when the upstream fails', async () => {
    const script = await Script.open({ staleIfError: '1h', staleWhileRevalidate: '1h' });
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache']) {
      script.origin(
        { headers: { 'Cache-Control': `max-age=1, ${directive}`, ETag: '"1"' } },
        { status: 503 },
      );
      await script.get(`/${directive}`);
      script.wait(2);
      const { status, cache } = await script.get(`/${directive}`, { 'cache-control': 'max-stale' });
      expect({ status, cache }, directive).to.deep.equal({ status: 503, cache: 'MISS' });
    }
  });

  it('5.1: Age has its first member, and is ignored where that is no number', () =>
    expectRows([
      [{ 'Cache-Control': 'max-age=60', Age: '0, 50' }, 30, 'HIT'],
      [{ 'Cache-Control': 'max-age=60', Age: ['50', '0'] }, 30, 'MISS'],
      [{ 'Cache-Control': 'max-age=60', Age: '5e1' }, 30, 'HIT'],
      [{ 'Cache-Control': 'max-age=60', Age: '-50' }, 30, 'HIT'],
    ]));

  it('5.2 and 5.2.3: directives have quoted arguments, any case, and unknown ones beside them', () =>
    expectRows([
      [{ 'Cache-Control': 'foo="max-age=0, no-store", MAX-AGE="60"' }, 30, 'HIT'],
      [{ 'Cache-Control': 'max-age=60, extension, other=1' }, 30, 'HIT'],
      [{ 'Cache-Control': 'max-age =60' }, 0, 'MISS'],
    ]));

  it('1.2.2: seconds above 2^31 are as many', () =>
    expectRows([[{ 'Cache-Control': 'max-age=99999999999999999999' }, 3600, 'HIT']]));

  it('5.3: Expires that is no date is in the past, and counts from Date', () =>
    expectRows([
      [{ Expires: '0' }, 0, 'MISS'],
      [{ Expires: '{400}', Date: '{400}' }, 0, 'MISS'],
      [{ Expires: '{60}', Date: 'none' }, 30, 'HIT'],
    ]));

  it('RFC 9213: a targeted field counts instead of Cache-Control and Expires, if it is well-formed', async () => {
    await expectRows([
      [{ 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': 'no-store' }, 30, 'HIT'],
      [{ 'CDN-Cache-Control': 'max-age=1', 'Cache-Control': 'max-age=60' }, 30, 'MISS'],
      [{ 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'max-age=60' }, 0, 'MISS'],
      [{ 'CDN-Cache-Control': 'private', Expires: '{60}' }, 0, 'MISS'],
      [{ 'CDN-Cache-Control': 'no-store, &&', 'Cache-Control': 'max-age=60' }, 30, 'HIT'],
      [{ 'CDN-Cache-Control': 'max-age="60"', 'Cache-Control': 'max-age=60' }, 0, 'MISS'],
      [{ 'CDN-Cache-Control': '', 'Cache-Control': 'max-age=60' }, 30, 'HIT'],
    ]);
    const own = { targetedFields: ['gateway-cache-control', 'cdn-cache-control'] };
    await expectRows(
      [[{ 'Gateway-Cache-Control': 'max-age=60', 'CDN-Cache-Control': 'no-store' }, 30, 'HIT']],
      own,
    );
  });

  it('stays consistent when the clock jumps', async () => {
    const script = await Script.open({ undeclared: 'never' });
    const { clock } = script.kit;
    const real = clock.now.bind(clock);
    script.origin({ headers: { 'Cache-Control': 'max-age=60' } });
    await script.get('/a');
    for (const jump of [-86_400_000, 86_400_000, 0]) {
      clock.now = () => real() + jump;
      const { cache, headers } = await script.get('/a');
      expect({ cache, age: headers.age }).to.deep.equal({ cache: 'HIT', age: '0' });
    }
    clock.now = () => real() - 86_400_000;
    await script.get('/stored-after-a-jump');
    clock.now = real;
    script.wait(59);
    expect((await script.get('/stored-after-a-jump')).cache).to.equal('HIT');
    script.wait(1);
    expect((await script.get('/a')).cache).to.equal('MISS');
  });
});
