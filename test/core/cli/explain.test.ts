import { expect } from 'chai';
import { explainCommand } from '../../../core/cli/explain.js';
import type { DescribedRequest } from '../../../core/cli/explain-request.js';
import type { Explanation } from '../../../core/cli/explanation.js';
import { catalogue } from '../../../plugins/index.js';
import { startUpstream, type Upstream } from '../../support/upstream.js';
import { folder } from '../loader/support.js';

const SECRET = 'abcdefghijklmnopqrstuvwxyz0123456789';

describe('gateway explain', () => {
  let upstream: Upstream;
  let path: string;
  let remove: () => Promise<void>;

  before(async () => {
    upstream = await startUpstream();
    ({ path, remove } = await folder({
      'gateway.yaml': [
        'host: 127.0.0.1',
        'port: 8080',
        'via: gateway',
        'trustedProxies: [10.0.0.0/8]',
        'services:',
        `  demo: { targets: ['${upstream.url}', { url: 'http://localhost:2', weight: 3 }], basePath: /base }`,
        `  other: { targets: ['${upstream.url}'], preserveHost: true }`,
        'routes:',
        '  - { id: quotes, match: { path: /q/:symbol, methods: [GET], hosts: ["*.example.com"], headers: { x-tier: gold } },',
        '      service: demo, rewrite: "/quotes/:symbol", plugins: { cors: false, access-log: { client: false } } }',
        '  - { id: rest, match: { path: /files/* }, service: other, priority: 1 }',
        '  - { id: exact, match: { path: /files/list }, service: demo }',
        'plugins:',
        '  - cors: { origins: ["https://a.example"] }',
        `  - auth-jwt: { secret: ${SECRET} }`,
        '  - tracing: { headers: { x-token: hidden-token } }',
        '  - access-log',
      ].join('\n'),
    }));
  });
  after(async () => {
    await upstream.close();
    await remove();
  });

  async function run(request: Partial<DescribedRequest> & { url: string }, json: boolean) {
    const lines: string[] = [];
    const context = { file: `${path}/gateway.yaml`, catalogue, print: (line: string) => lines.push(line) };
    const code = await explainCommand(
      context,
      { method: 'GET', fields: [], from: '127.0.0.1', ...request },
      json,
    );
    return { code, text: lines.join('\n') };
  }

  async function explain(
    request: Partial<DescribedRequest> & { url: string },
  ): Promise<Explanation & { code: number }> {
    const { code, text } = await run(request, true);
    expect(text).not.to.contain(SECRET).and.not.contain('hidden-token');
    return { ...JSON.parse(text), code };
  }

  it('says which route matches, which plugins run with which options, and what the upstream would be asked', async () => {
    const fields = [
      'x-tier: gold',
      'Authorization: Bearer s3cr3t',
      'Connection: x-hop',
      'X-Hop: 1',
      'Accept:text/plain',
    ];
    const { code, ...found } = await explain({ url: 'http://www.example.com/q/BTC%2dUSD?depth=5', fields });
    expect(code).to.equal(0);
    expect(found.outcome).to.equal('forwarded');
    expect(found.request).to.include({
      method: 'GET',
      host: 'www.example.com',
      path: '/q/BTC-USD',
      query: '?depth=5',
      client: '127.0.0.1',
    });
    expect(found.route).to.deep.equal({
      id: 'quotes',
      pattern: '/q/:symbol',
      methods: ['GET'],
      service: 'demo',
      params: { symbol: 'BTC-USD' },
    });
    expect(found.plugins.map(({ id, on }) => [id, on])).to.deep.equal([
      ['cors', false],
      ['auth-jwt', true],
      ['tracing', true],
      ['access-log', true],
    ]);
    const [cors, jwt, tracing, log] = found.plugins;
    expect(cors).to.deep.include({ takes_part: [], options: null });
    expect(jwt?.options).to.include({ secret: '***', clockSkew: 0 });
    expect(tracing).to.deep.include({ takes_part: ['middleware', 'attempt', 'finished'] });
    expect(log).to.deep.include({ takes_part: ['finished'] });
    expect(log?.options).to.include({ client: false });
    expect(found.upstream).to.deep.include({
      targets: [
        { url: upstream.url, weight: 1 },
        { url: 'http://localhost:2', weight: 3 },
      ],
      method: 'GET',
      path: '/quotes/BTC-USD?depth=5',
    });
    const headers = new Map(found.upstream?.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(Object.fromEntries(headers)).to.include({
      host: '(the target’s)',
      accept: 'text/plain',
      authorization: '***',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'www.example.com',
      via: '1.1 gateway',
    });
    expect(headers.has('x-hop')).to.equal(false);
    expect(headers.get('x-request-id')).to.match(/^req-/);
  });

  it('knows the built-in routes, trusted proxies and preserved hosts', async () => {
    const found = await explain({
      method: 'POST',
      url: '/api/v1/other/x',
      from: '10.1.2.3',
      fields: ['X-Forwarded-For: 192.0.2.9'],
    });
    expect(found.request).to.include({ client: '192.0.2.9', peer_trusted: true, host: '127.0.0.1:8080' });
    expect(found.route).to.include({ id: 'other', pattern: '/api/v1/other/**' });
    expect(found.upstream?.headers).to.deep.include(['host', '127.0.0.1:8080']);
    expect(found.upstream?.path).to.equal('/api/v1/x');
    expect((await explain({ url: '/api/v1/demo/x' })).upstream?.path).to.equal('/base/x');
  });

  it('names the routes that match too, and come after', async () => {
    const { route, near_misses: misses } = await explain({ url: '/files/list' });
    expect(route?.id).to.equal('rest');
    expect(misses).to.have.length(1);
    expect(misses[0]).to.include({ route: 'exact' }).and.have.property('why').that.contains('matches too');
  });

  for (const [url, fields, why] of [
    ['http://www.example.com/q/BTC', [], "it wants 'x-tier: gold', which is missing"],
    ['http://www.example.com/q/BTC', ['x-tier: silver'], "it wants 'x-tier: gold', not what is there"],
    ['/q/BTC', ['x-tier: gold'], "it is for the host *.example.com, not '127.0.0.1'"],
    ['/q/BTC/', [], 'the path must not end in a slash'],
    ['/Q/BTC', [], 'the path differs in upper and lower case'],
    ['/q/BTC/more', [], 'the path goes on behind /q/:symbol'],
    ['/fils/list', [], "'fils' in the path is not 'files'"],
    ['/api/v1/dmo/x', [], 'there is no service \'dmo\': did you mean "demo"?'],
    ['/api/v1/nothing-like-it/x', [], "there is no service 'nothing-like-it': there are demo, other"],
  ] as const) {
    it(`says why none matches: ${why}`, async () => {
      const { code, outcome, refusal, near_misses: misses } = await explain({ url, fields });
      expect([code, outcome, refusal?.code]).to.deep.equal([1, 'refused', 'ROUTE_NOT_FOUND']);
      expect(misses.map((miss) => miss.why)).to.include(why);
    });
  }

  it('says what is refused for the method, or before any route is looked for', async () => {
    const fields = ['x-tier: gold'];
    const method = await explain({ method: 'DELETE', url: 'http://www.example.com/q/BTC', fields });
    expect(method.refusal).to.include({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(method.near_misses[0]?.why).to.equal('it takes GET, not DELETE');
    expect((await explain({ url: '/q/%zz' })).refusal).to.include({ status: 400, code: 'BAD_REQUEST' });
    expect((await explain({ url: '/q/BTC', fields: ['Host: a', 'Host: b'] })).refusal).to.include({
      code: 'BAD_REQUEST',
    });
  });

  it('knows upgrades, and what the gateway answers itself', async () => {
    const upgrade = await explain({ url: 'ws://localhost/ws/demo/live' });
    expect(upgrade.request.upgrade).to.equal(true);
    expect(upgrade.refusal).to.include({ code: 'NOT_IMPLEMENTED' });
    expect((await explain({ url: '/ws/demo/live' })).refusal).to.include({ code: 'UPGRADE_REQUIRED' });
    expect(await explain({ url: '/health' })).to.include({ outcome: 'answered_by_the_gateway', code: 0 });
    expect(await explain({ url: '/api/v1/gateway/status' })).to.include({
      outcome: 'answered_by_the_gateway',
    });
  });

  it('prints the same for people', async () => {
    const { text } = await run({ url: '/api/v1/demo/x', fields: ['Cookie: s3cr3t'] }, false);
    expect(text).to.contain('demo (all methods, /api/v1/demo/**), to the service demo');
    expect(text).to.match(/2\. +auth-jwt +middleware +\{"secret":"\*\*\*"/);
    expect(text).to.contain(`  ${upstream.url}\n  http://localhost:2 (weight 3)\n  GET /base/x\n`);
    expect(text).not.to.contain('s3cr3t').and.not.contain(SECRET);
    const refused = await run({ url: '/api/v1/dmo/x' }, false);
    expect(refused).to.include({ code: 1 });
    expect(refused.text)
      .to.match(/refused: +404 ROUTE_NOT_FOUND/)
      .and.contain('did you mean "demo"?');
  });

  it('refuses what is no method, no URL, no field or no address', async () => {
    for (const request of [
      { url: '/q', method: 'get' },
      { url: '/q', from: 'nowhere' },
      { url: 'q' },
      { url: 'ftp://a/b' },
      { url: '/q', fields: ['no field'] },
      { url: '/q', fields: [': x'] },
    ]) {
      const failure = await run(request, true).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/is no (method|URL|header field|address)/);
    }
  });

  it('sends nothing', async () => {
    await explain({ url: '/api/v1/demo/x' });
    expect(upstream.requests).to.have.length(0);
    expect(upstream.openSockets()).to.equal(0);
  });
});
