import { expect } from 'chai';
import fc from 'fast-check';
import { Type } from 'typebox';
import { definePlugin, type GatewayMiddleware, type GatewayPlugin } from '../../core/index.js';
import headerTransform from '../../plugins/header-transform/index.js';
import { Template } from '../../plugins/header-transform/template.js';
import { runPlugin } from '../support/plugin-kit.js';
import { fieldValues, startUpstream } from '../support/upstream.js';

const PATH = '/api/v1/demo/echo';

let consumerId: string | undefined;

class Namer implements GatewayPlugin {
  middleware(): GatewayMiddleware {
    return (ctx, next) => {
      if (consumerId !== undefined) ctx.gateway.consumer = { id: consumerId, authenticatedBy: 'auth-jwt' };
      return next();
    };
  }
}

const namer = definePlugin({
  name: 'auth-jwt',
  summary: 'Says who it is.',
  options: Type.Object({}),
  plugin: Namer,
});

const before = [{ definition: namer }];

describe('header-transform', () => {
  beforeEach(() => {
    consumerId = undefined;
  });

  it('removes, renames, sets and adds fields of requests', async () => {
    const request = {
      remove: ['X-Debug'],
      rename: { 'X-Old': 'X-New', 'X-Absent': 'X-Other' },
      set: { 'X-Tenant': 'acme' },
      add: { 'Accept-Language': 'de', 'X-Fresh': '1', Cookie: 'seen=1' },
    };
    const { agent, upstream } = await runPlugin(headerTransform, { request });
    await agent
      .get(PATH)
      .set({
        'x-debug': '1',
        'X-OLD': 'kept',
        'x-tenant': 'forged',
        'accept-language': 'en',
        'X-Other': 'own',
        Cookie: 'a=b',
      })
      .expect(200);
    const sent = (name: string) => fieldValues(upstream.requests[0]?.rawHeaders ?? [], name);
    expect(sent('x-debug')).to.deep.equal([]);
    expect(sent('x-old')).to.deep.equal([]);
    expect(sent('x-new')).to.deep.equal(['kept']);
    expect(sent('x-other')).to.deep.equal(['own']);
    expect(sent('x-tenant')).to.deep.equal(['acme']);
    expect(sent('accept-language')).to.deep.equal(['en, de']);
    expect(sent('x-fresh')).to.deep.equal(['1']);
    expect(sent('cookie')).to.deep.equal(['a=b; seen=1']);
  });

  it('sets, removes and adds fields of responses', async () => {
    const response = {
      set: { 'Cache-Control': 'no-store', 'X-Own': 'a' },
      remove: ['x-internal', 'X-Gateway-Timestamp'],
      add: { Link: '</docs>; rel="help"', 'X-Fresh': '1' },
    };
    const { agent } = await runPlugin(
      headerTransform,
      { response },
      {
        upstream: (_req, res) =>
          res
            .writeHead(200, { 'Cache-Control': 'public', 'X-Internal': '1', Link: '</a>; rel="next"' })
            .end('{}'),
      },
    );
    const { headers } = await agent.get(PATH).expect(200);
    expect(headers).to.include({
      'cache-control': 'no-store',
      'x-own': 'a',
      'x-fresh': '1',
      link: '</a>; rel="next", </docs>; rel="help"',
    });
    expect(headers).not.to.have.any.keys('x-internal', 'x-gateway-timestamp');
  });

  it('puts values of the request in', async () => {
    consumerId = 'shop';
    const all = [
      'request.id',
      'request.method',
      'request.path',
      'request.host',
      'request.scheme',
      'client.address',
      'consumer.id',
      'service.name',
      'route.id',
      'header.X-Given',
    ];
    const text = `<${all.map((name) => `\${${name}}`).join('|')}>`;
    const options = { request: { set: { 'X-All': text } }, response: { set: { 'X-All': text } } };
    const { agent, upstream, port } = await runPlugin(headerTransform, options, { before });
    const { headers } = await agent.get(PATH).set('X-Given', 'v').expect(200);
    const id = headers['x-request-id'];
    const expected = `<${id}|GET|${PATH}|127.0.0.1:${port}|http|127.0.0.1|shop|demo|demo|v>`;
    expect(headers['x-all']).to.equal(expected);
    expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'x-all')).to.deep.equal([expected]);
  });

  it('knows the short forms', async () => {
    // `$${` is how a configuration writes a plain `${`.
    const { agent } = await runPlugin(headerTransform, {
      response: { set: { 'X-Where': `$\${service}/$\${route}` } },
    });
    await agent.get(PATH).expect('X-Where', 'demo/demo');
  });

  it('leaves a field out that has no value, and the client’s own too', async () => {
    const options = {
      request: { set: { 'X-User': `\${consumer.id}` }, add: { 'X-Users': `\${consumer.id}` } },
      response: { set: { 'X-User': `\${consumer.id}` }, add: { 'X-Users': `\${consumer.id}` } },
    };
    const { agent, upstream } = await runPlugin(headerTransform, options, { before });
    const { headers } = await agent.get(PATH).set({ 'X-User': 'forged', 'X-Users': 'own' }).expect(200);
    const { rawHeaders } = upstream.requests[0] ?? { rawHeaders: [] };
    expect(fieldValues(rawHeaders, 'x-user')).to.deep.equal([]);
    expect(fieldValues(rawHeaders, 'x-users')).to.deep.equal(['own']);
    expect(headers).not.to.have.any.keys('x-user', 'x-users');
  });

  it('never lets a value end its line', async () => {
    const options = {
      request: { set: { 'X-User': `\${consumer.id}` } },
      response: { set: { 'X-User': `\${consumer.id}` } },
    };
    const { agent, upstream } = await runPlugin(headerTransform, options, { before });
    consumerId = 'a\r\nX-Injected: 1\n北\ud800\0';
    const { headers } = await agent.get(PATH).expect(200);
    const expected = 'a%0D%0AX-Injected: 1%0A%E5%8C%97%EF%BF%BD%00';
    expect(headers['x-user']).to.equal(expected);
    expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'x-user')).to.deep.equal([expected]);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), async (id) => {
        consumerId = id;
        const response = await agent.get(PATH).expect(200);
        expect(response.headers).not.to.have.property('x-injected');
      }),
      { numRuns: 50, examples: [['\r\nX-Injected: 1'], ['\nX-Injected: 1'], ['\u010d\u010aX-Injected: 1']] },
    );
  });

  it('edits the fields of errors too', async () => {
    const gone = await startUpstream();
    await gone.close();
    const response = { set: { 'X-Set': '1' }, add: { 'X-Add': '2' } };
    const { agent } = await runPlugin(headerTransform, { response }, { service: { targets: [gone.url] } });
    const { headers, status } = await agent.get(PATH);
    expect(status).to.be.within(502, 503);
    expect(headers).to.include({ 'x-set': '1', 'x-add': '2' });
  });

  it('does not start with what cannot be, and says all of it', async () => {
    const options = {
      request: {
        remove: ['Content-Length', 'Transfer-Encoding', 'host'],
        rename: { 'X-A': 'Connection', 'bad name': 'X-B' },
        set: { 'X-Forwarded-For': '1.2.3.4', 'X-Id': `\${request.idd}` },
        add: { 'X-Line': 'a\r\nb' },
      },
      response: {
        set: { Upgrade: 'h2c', ':status': '200' },
        add: { 'X-U': '北' },
        remove: ['content-length'],
      },
    };
    const error = await runPlugin(headerTransform, options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const message = String(error);
    for (const path of [
      'request.remove[0]: found "Content-Length"',
      'request.remove[1]: found "Transfer-Encoding"',
      'request.remove[2]: found "host"',
      'request.rename.X-A: found "Connection"',
      'request.rename.bad name: found "bad name", expected the name of a header field',
      'request.set.X-Forwarded-For',
      `request.set.X-Id: found \${request.idd}`,
      `did you mean "\${request.id}"?`,
      'request.add.X-Line: found "a\\r\\nb"',
      'response.set.Upgrade',
      'response.set.:status',
      'response.add.X-U',
      'response.remove[0]',
    ]) {
      expect(message).to.contain(path);
    }
  });
});

describe('a template of header-transform', () => {
  it('is refused where it names a variable that there is not', () => {
    for (const name of ['', 'request', 'request.idd', 'header.', 'header.a b', 'constructor', '__proto__']) {
      expect(Template.parse(`a\${${name}}b`), name).to.include({ found: `\${${name}}` });
    }
    expect(Template.parse(`\${serivce}`)).to.include({ hint: `did you mean "\${service}"?` });
    expect(Template.parse(`\${banana}`)).not.to.have.property('hint');
  });

  it('takes what is no reference as it is', () => {
    for (const text of ['', 'a', '$', '${', '}', '$a{b}']) {
      expect(Template.parse(text), text).to.be.instanceOf(Template);
    }
  });
});
