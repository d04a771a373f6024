import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { Script } from './exchange-script.js';
import { type Reply, runCache } from './kit.js';
import { WHO } from './small-plugins.js';

const CONSUMERS = ['', '', 'ann', 'bob'];
const DIRECTIVES = [
  'max-age=600',
  'private',
  'public',
  'no-cache',
  's-maxage=600',
  'must-revalidate',
  'no-store',
  'private="x-a"',
];
const VARIES = ['', 'Authorization', 'X-Consumer-Id', 'Accept', 'Cookie', 'Accept, Authorization'];

/** A request of the property, and what the upstream answers it with where it is asked. */
interface Asked {
  readonly who: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  readonly accept: string;
  readonly wait: number;
  readonly reply: {
    readonly control: readonly string[];
    readonly vary: string;
    readonly etag: string | undefined;
    readonly status: number;
  };
}

function fieldsOf({ who, authorization, cookie, accept }: Asked): Record<string, string> {
  return {
    accept,
    'cache-control': 'x',
    ...(who === '' ? {} : { 'x-who': who }),
    ...(authorization === undefined ? {} : { authorization }),
    ...(cookie === undefined ? {} : { cookie }),
  };
}

/** An answer that tells who asked for it, and with what credentials. */
function marked(req: IncomingMessage, { control, vary, etag, status }: Asked['reply']): Reply {
  const isPublic = control.includes('public');
  const { authorization = '', cookie = '' } = req.headers;
  return {
    status: etag !== undefined && req.headers['if-none-match'] === etag ? 304 : status,
    headers: {
      ...(control.length === 0 ? {} : { 'Cache-Control': control.join(', ') }),
      ...(vary === '' ? {} : { Vary: vary }),
      ...(etag === undefined ? {} : { ETag: etag }),
    },
    body: JSON.stringify({
      owner: isPublic ? 'everybody' : String(req.headers['x-who'] ?? ''),
      authorization,
      cookie,
      declared: control.length > 0,
      shareable: control.includes('s-maxage=600') || control.includes('must-revalidate'),
    }),
  };
}

function expectMine(body: unknown, { who, authorization = '', cookie = '' }: Asked): void {
  const answer = Object(body) as Record<string, unknown>;
  if (answer.owner === 'everybody') return;
  // Whoever was authenticated: it is theirs alone, and that of the credentials they showed.
  if (answer.owner !== '' || who !== '') {
    expect([answer.owner, answer.authorization]).to.deep.equal([who, authorization]);
  } else if (answer.authorization !== '' && answer.shareable === false) {
    // RFC 9111 section 3.5, for credentials that only the upstream knows.
    expect(answer.authorization).to.equal(authorization);
  }
  // What nobody said to be for all is not for those who may be known, nor theirs for others.
  if (answer.declared === false)
    expect([answer.cookie, answer.authorization]).to.deep.equal([cookie, authorization]);
}

describe('response-cache: whose response it is', () => {
  it('two consumers never see each other’s answers, unless the response is public', async function () {
    this.timeout(60_000);
    const request: fc.Arbitrary<Asked> = fc.record({
      who: fc.constantFrom(...CONSUMERS),
      path: fc.constantFrom('/a', '/a', '/b'),
      authorization: fc.constantFrom(undefined, 'Bearer 1', 'Bearer 2'),
      cookie: fc.constantFrom(undefined, 'session=1', 'session=2'),
      accept: fc.constantFrom('text/plain', 'text/html'),
      wait: fc.constantFrom(0, 0, 0, 700),
      reply: fc.record({
        control: fc.oneof(
          fc.constant(['max-age=600']),
          fc.uniqueArray(fc.constantFrom(...DIRECTIVES), { maxLength: 3 }),
        ),
        vary: fc.constantFrom(...VARIES),
        etag: fc.constantFrom(undefined, '"same"'),
        status: fc.constantFrom(200, 200, 200, 404, 503),
      }),
    });
    let current: Asked | undefined;
    const kit = await runCache(
      (req) => (current === undefined ? {} : marked(req, current.reply)),
      { statuses: [], staleIfError: '1h', staleWhileRevalidate: '1s' },
      { before: [{ definition: WHO }] },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 12 }), async (requests) => {
        run++;
        for (const each of requests) {
          current = each;
          const response = await fetch(`${kit.url}/api/v1/demo/${run}${each.path}`, {
            headers: fieldsOf(each),
          });
          const text = await response.text();
          if (text.startsWith('{"owner"')) expectMine(JSON.parse(text), each);
          kit.clock.tick(each.wait * 1000);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a 304 that calls it public does not give it to others', async () => {
    const script = await Script.open({}, { before: [{ definition: WHO }] });
    script.origin({ headers: { 'Cache-Control': 'no-cache', ETag: '"same"' } });
    await script.get('/a');
    script.origin({ status: 304, headers: { 'Cache-Control': 'public, max-age=60', ETag: '"same"' } });
    expect((await script.get('/a')).cache).to.equal('REVALIDATED');
    script.origin({ headers: { 'Cache-Control': 'max-age=60' } });
    expect((await script.get('/a')).cache).to.equal('HIT');
    expect((await script.get('/a', { 'x-who': 'ann' })).cache).to.equal('MISS');
  });

  it('gives a consumer its own response again', async () => {
    const script = await Script.open({}, { before: [{ definition: WHO }] });
    script.origin({ headers: { 'Cache-Control': 'max-age=60' } });
    await script.get('/a', { 'x-who': 'ann', authorization: 'Bearer 1' });
    expect((await script.get('/a', { 'x-who': 'ann', authorization: 'Bearer 1' })).cache).to.equal('HIT');
    expect((await script.get('/a', { 'x-who': 'ann', authorization: 'Bearer 2' })).cache).to.equal('MISS');
    expect((await script.get('/a', { 'x-who': 'bob', authorization: 'Bearer 1' })).cache).to.equal('MISS');
    expect((await script.get('/a')).cache).to.equal('MISS');
  });

  it('an unsafe request removes the responses of all consumers', async () => {
    const script = await Script.open({}, { before: [{ definition: WHO }] });
    script.origin({ headers: { 'Cache-Control': 'max-age=60' } });
    for (const who of ['ann', 'bob']) await script.get('/a', { 'x-who': who });
    await script.send('DELETE', '/a', { 'x-who': 'ann' });
    for (const who of ['ann', 'bob'])
      expect((await script.get('/a', { 'x-who': who })).cache).to.equal('MISS');
  });
});

describe('response-cache: poisoning', () => {
  const fresh = { headers: { 'Cache-Control': 'max-age=600' } };

  it('what an upstream made of fields that are not in the key is given to nobody else', async () => {
    const script = await Script.open();
    const fields = [
      'x-original-url',
      'x-rewrite-url',
      'x-http-method-override',
      'x-host',
      'x-forwarded-scheme',
      'x-forwarded-prefix',
      'x-forwarded-server',
    ];
    for (const name of fields) {
      script.origin(fresh);
      await script.get(`/${name}`, { [name]: 'evil' });
      expect((await script.get(`/${name}`)).cache, name).to.equal('MISS');
    }
  });

  it('nor what it made of another Host', async () => {
    const { agent } = await runCache(fresh);
    await agent.get('/api/v1/demo/a').set('Host', 'evil.example').expect('X-Cache-Status', 'MISS');
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'HIT');
  });

  it('the fields that a client cannot choose make no difference', async () => {
    const { agent } = await runCache(fresh);
    await agent
      .get('/api/v1/demo/a')
      .set('X-Forwarded-Host', 'evil.example')
      .set('X-Forwarded-For', '192.0.2.1');
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'HIT');
  });

  it('a GET with a body passes by', async () => {
    const { agent } = await runCache(fresh);
    await agent.get('/api/v1/demo/a').send('evil').expect('X-Cache-Status', 'BYPASS');
    await agent.get('/api/v1/demo/a').expect('X-Cache-Status', 'MISS');
  });

  it('each host has its own responses where the upstream sees it', async () => {
    const { agent } = await runCache(fresh, {}, { service: { preserveHost: true } });
    for (const host of ['a.example', 'b.example'])
      await agent.get('/api/v1/demo/a').set('Host', host).expect('X-Cache-Status', 'MISS');
    await agent.get('/api/v1/demo/a').set('Host', 'a.example').expect('X-Cache-Status', 'HIT');
  });
});
