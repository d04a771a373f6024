// biome-ignore-all format: a row a line, so that the tables read as tables
import { expect } from 'chai';
import fc from 'fast-check';
import { expectError } from '../support/error-format.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { sendRaw } from '../support/raw-client.js';
import type { RawResponse } from '../support/raw-response.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

/** Refused with 400, or forwarded with this path; a list names all that are acceptable. */
type Verdict = 400 | 404 | string | readonly (400 | 404 | string)[];

const MERGED_OR_DECODED: readonly [target: string, verdict: Verdict][] = [
  ['/api/v1/a/x', '/api/v1/x'],
  ['/api/v1/a/x?y=1', '/api/v1/x?y=1'],
  ['/api/v1/a', ['/api/v1', '/api/v1/']],
  ['/api/v1/a/', '/api/v1/'],
  ['/api/v1/a?q', ['/api/v1?q', '/api/v1/?q']],
  ['/api/v1/a//x', '/api/v1/x'],
  ['/api/v1/a/x//y///z//', '/api/v1/x/y/z/'],
  ['//api/v1/a/x', '/api/v1/x'],
  ['///api//v1///a/x', '/api/v1/x'],
  ['/api/v1//a/x', '/api/v1/x'],
  ['/%61pi/v1/a/x', '/api/v1/x'],
  ['/api/%76%31/a/x', '/api/v1/x'],
  ['/api/v1/%61/x', '/api/v1/x'],
  ['/api/v1/a/%78%2D%2d%5F%7E', '/api/v1/x--_~'],
  ['/api/v1/a/%c3%a4', '/api/v1/%C3%A4'],
  ['/api/v1/a/%e2%82%ac%F0%9f%98%80', '/api/v1/%E2%82%AC%F0%9F%98%80'],
  ['/api/v1/a/%20%3f%23%25', '/api/v1/%20%3F%23%25'],
  ["/api/v1/a/-._~!$&'()*+,;=:@x", "/api/v1/-._~!$&'()*+,;=:@x"],
  ['/api/v1/a/...', '/api/v1/...'],
  ['/api/v1/a/.x/x./..x/x..', '/api/v1/.x/x./..x/x..'],
  ['/api/v1/a/x?/../b/%2e%2e/%2F//', '/api/v1/x?/../b/%2e%2e/%2F//'],
  ['/api/v1/a/x?%zz', '/api/v1/x?%zz'],
  ['/api/v1/a/x??', '/api/v1/x??'],
  ['/api/v1/a/%252e%252e/x', [400, '/api/v1/%252e%252e/x', '/api/v1/%252E%252E/x']],
  ['/api/v1/a/%252f', [400, '/api/v1/%252f', '/api/v1/%252F']],
  ['/api/v1/a/..;/admin', [400, '/api/v1/..;/admin']],
  ['/api/v1/a/.;x=1/admin', [400, '/api/v1/.;x=1/admin']],
  ['/API/V1/a/x', 404],
  ['/api/v1/A/x', 404],
  ['/api/v1/%41/x', 404],
  ['/api/v1/a.b/x', 404],
  ['/api/v1/a%20/x', 404],
  ['/api/v1/a;v=1/x', 404],
  ['/api/v1/', 404],
  ['/api/v1', 404],
  ['/api/v2/a/x', 404],
  ['/', 404],
  ['/api/v1/__proto__/x', 404],
  ['/api/v1/constructor/x', 404],
  ['/api/v1/to%53tring/x', 404],
];

const DOT_SEGMENTS = ['..', '.', '%2e', '%2E', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '%2E.', '.%2E'];
const REFUSED: readonly string[] = [
  ...DOT_SEGMENTS.flatMap((dots) => [`/api/v1/a/${dots}/b/x`, `/api/v1/a/x/${dots}`, `/api/v1/${dots}/v1/b/x`]),
  ...DOT_SEGMENTS.map((dots) => `/api/v1/a/${dots}/gateway/services`),
  ...DOT_SEGMENTS.map((dots) => `/${dots}/api/v1/a/x`),
  '/api/v1/a/../../../etc/passwd', '/api/v1/a/..//b/x', '/api/v1/a//../b/x', '/api/v1/a/..?x', '/..', '/.', '/%2e%2e',
  '/api/v1/a/..%2fb', '/api/v1/a/..%2Fb', '/api/v1/a%2f..%2fb/x', '/api/v1/a%2fx', '/api/v1/a/%2f', '/api/v1/a/x%2Fy', '/api/v1%2fb/x',
  '/%2fapi/v1/b/x', '/api/v1/a%2F%2e%2e%2Fgateway/services',
  '/api/v1/a/%5c', '/api/v1/a/%5C..%5Cb', '/api/v1/a/..%5cb', '/api/v1/a%5c..%5cb/x', '/api/v1/a/\\', '/api/v1/a\\x', '/api/v1/a/..\\b',
  '/api/v1\\b\\x', '\\api\\v1\\b\\x', '/\\/api/v1/b/x',
  '/api/v1/a/%00', '/api/v1/a/x%00.json', '/api/v1/a%00/x', '/api/v1/a/\0', '/api/v1/a/%01', '/api/v1/a/%0a', '/api/v1/a/%0d%0aX:%201',
  '/api/v1/a/%1f', '/api/v1/a/%7f', '/api/v1/a/%09', '/api/v1/a/\x01', '/api/v1/a/\x7f',
  '/api/v1/a/%', '/api/v1/a/%2', '/api/v1/a/%zz', '/api/v1/a/%2g', '/api/v1/a/%%32%65', '/api/v1/a/%u002e', '/api/v1/a/%-1', '/api/v1/a/x%',
  '/api/v1/a/%c0%af', '/api/v1/a/%C0%AE%C0%AE/b', '/api/v1/a/%e0%80%af', '/api/v1/a/%f0%80%80%af', '/api/v1/a/%c1%9c', '/api/v1/a/%c0%80',
  '/api/v1/a/%ff', '/api/v1/a/%80', '/api/v1/a/%e4', '/api/v1/a/%c3', '/api/v1/a/%c3x%a4', '/api/v1/a/%ed%a0%80', '/api/v1/a/%f4%90%80%80',
  '/api/v1/a/%f8%80%80%80%af', '/api/v1/%c0%ae%c0%ae/x', '/api/v1/a/x#y', '/api/v1/a#/../b', '/api/v1/a/#', '/api/v1/a/x?y#z',
];

interface Asked {
  readonly status: number;
  readonly response: RawResponse | undefined;
  readonly a: readonly string[];
  readonly b: readonly string[];
}

describe('paths', () => {
  let a: Upstream;
  let b: Upstream;
  let gateway: RunningGateway;

  before(async () => {
    a = await startUpstream();
    b = await startUpstream();
    gateway = await startGateway({
      services: { a: service(a.url), b: service(b.url) },
      routes: [{ id: 'quotes', match: { path: '/q/:symbol' }, service: 'a', rewrite: '/api/v1/quotes/:symbol' }],
    });
  });
  after(async () => {
    await gateway.stop();
    await a.close();
    await b.close();
  });

  async function ask(target: string, port = gateway.port): Promise<Asked> {
    a.requests.length = 0;
    b.requests.length = 0;
    const { responses } = await sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n`);
    expect(responses).to.have.length(1);
    const urls = (upstream: Upstream) => upstream.requests.map((request) => request.url);
    return { status: responses[0]?.status ?? 0, response: responses[0], a: urls(a), b: urls(b) };
  }

  function judge(verdict: Verdict, asked: Asked): void {
    const accepted: readonly (number | string)[] = typeof verdict === 'object' ? verdict : [verdict];
    expect(asked.b, 'asked of b').to.deep.equal([]);
    expect(accepted).to.include(asked.a[0] ?? asked.status);
    expect(asked.a.length).to.be.at.most(1);
    if (asked.a.length === 0) expectError(asked.response);
  }

  for (const [target, verdict] of MERGED_OR_DECODED) {
    it(`${target} -> ${typeof verdict === 'object' ? verdict.join(' or ') : verdict}`, async () => judge(verdict, await ask(target)));
  }
  for (const target of REFUSED) {
    it(`${JSON.stringify(target)} is refused`, async () => judge(400, await ask(target)));
  }

  it('never sends raw bytes beyond ASCII on', async () => {
    judge([400, '/api/v1/%C3%A4'], await ask('/api/v1/a/\xc3\xa4'));
    judge([400], await ask('/api/v1/a/\xe4'));
  });

  it('keeps the parameter of a route of one’s own in its segment', async () => {
    judge('/api/v1/quotes/BTC-USD?x=/', await ask('/q/BTC-USD?x=/'));
    judge('/api/v1/quotes/%C3%A4%20%3F', await ask('/q/%c3%a4%20%3f'));
    for (const target of ['/q/..', '/q/%2e%2e', '/q/..%2fadmin', '/q/x%2fy', '/q/x\\y', '/q/%00']) judge(400, await ask(target));
    for (const target of ['/q/', '/q', '/q/x/y', '/q/x/']) judge([404, '/api/v1/quotes/x'], await ask(target));
  });

  it('lets encoded slashes pass where the configuration says so, and no dot segment behind one', async () => {
    const lax = await startGateway({ services: { a: service(a.url), b: service(b.url) }, limits: { encodedSlashes: 'pass' } });
    try {
      judge('/api/v1/x%2Fy', await ask('/api/v1/a/x%2fy', lax.port));
      judge('/api/v1/x%5Cy', await ask('/api/v1/a/x%5cy', lax.port));
      for (const target of ['/api/v1/a/..%2fb', '/api/v1/a/x%2f..%2f..', '/api/v1/a/%2e%2e%5cb', '/api/v1/a/x%2f%2e', '/api/v1/a/\\', '/api/v1/a%2f..%2fb/x']) {
        judge([400, 404], await ask(target, lax.port));
      }
      judge(404, await ask('/api/v1/a%2fx', lax.port));
    } finally {
      await lax.stop();
    }
  });

  it('holds to the base path of a service', async () => {
    const based = await startGateway({ services: { a: service(a.url, { basePath: '/inner/v9' }), b: service(b.url, { basePath: '/' }) } });
    try {
      judge('/inner/v9/x', await ask('/api/v1/a/x', based.port));
      judge('/inner/v9/api/v1/b/x', await ask('/api/v1/a/api/v1/b/x', based.port));
      for (const target of ['/api/v1/a/../x', '/api/v1/a/%2e%2e/x', '/api/v1/a/..%2fx']) judge(400, await ask(target, based.port));
      expect((await ask('/api/v1/b/x', based.port)).b).to.deep.equal(['/x']);
      expect((await ask('/api/v1/b//evil.test/x', based.port)).b).to.deep.equal(['/evil.test/x']);
    } finally {
      await based.stop();
    }
  });

  it('gives no nasty path of a service anything but its own upstream, below its base path', async () => {
    await fc.assert(
      fc.asyncProperty(nastyPath, async (rest) => {
        const asked = await ask(`/api/v1/a/${rest}`);
        expect(asked.b, 'asked of b').to.deep.equal([]);
        expect(asked.a.length).to.be.at.most(1);
        if (asked.a[0] === undefined) expectError(asked.response);
        else expectConfined(asked.a[0]);
      }),
      { numRuns: 500 },
    );
  });

  it('sends no upstream a path outside its base path, whatever is asked', async () => {
    await fc.assert(
      fc.asyncProperty(nastyPath, async (rest) => {
        const asked = await ask(`/${rest}`);
        for (const url of [...asked.a, ...asked.b]) expectConfined(url);
      }),
      { numRuns: 500 },
    );
  });
});

/** Pieces of which nasty paths are made: separators, dots and bytes in all spellings, and names that mean something. */
const PIECES = [
  '/', '/', '//', '.', '..', '%2e', '%2E', '%2e%2e', '%2f', '%2F', '%5c', '\\', 'a', 'b', '%61', '%62', 'api', 'v1', 'api/v1/', 'gateway', 'services', 'x',
  '%00', '%c0%af', '%c0%ae', '%e0%80%af', '%ff', '%', '%2', '%25', '%252e', '%25%32%65', ';', ';x=1', '..;', '?', '#', '%20', '%23', '%3f', '%c3%a4', '\xe4',
  '~', '%7e', ':', '@', '*', '%0d%0a', '%09',
];
const nastyPath = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => pieces.join(''));

function expectConfined(url: string): void {
  const path = url.split('?', 1)[0] ?? '';
  expect(path).to.match(/^[\x21-\x7e]+$/);
  expect(path).to.match(/^\/api\/v1(\/|$)/);
  const decoded = decodeURIComponent(path);
  const segments = decoded.split(/[/\\]/);
  expect(segments, url).not.to.include('..');
  expect(segments, url).not.to.include('.');
  expect([...decoded].filter(isControl), url).to.deep.equal([]);
}

function isControl(char: string): boolean {
  return char < ' ' || char === '\x7f';
}
