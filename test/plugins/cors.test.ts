import { expect } from 'chai';
import { Type } from 'typebox';
import {
  definePlugin,
  type EndpointRouter,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
} from '../../core/index.js';
import cors from '../../plugins/cors/index.js';
import { Origins } from '../../plugins/cors/origins.js';
import { runPlugin } from '../support/plugin-kit.js';
import { startUpstream } from '../support/upstream.js';

const PATH = '/api/v1/demo/echo';
const SHOP = 'https://shop.example.com';
const EVIL = 'https://evil.example';

class Refuser implements GatewayPlugin {
  middleware(): GatewayMiddleware {
    return () => {
      throw new GatewayError('UNAUTHORIZED', { headers: { Vary: 'Accept', 'WWW-Authenticate': 'Bearer' } });
    };
  }
}

const refuser = definePlugin({
  name: 'auth-jwt',
  summary: 'Refuses everybody.',
  options: Type.Object({}),
  plugin: Refuser,
});

const after = [{ definition: refuser }];

describe('cors', () => {
  it('lets any page read by default, without credentials', async () => {
    const { agent } = await runPlugin(cors);
    for (const headers of [{ Origin: SHOP }, {}]) {
      const response = await agent.get(PATH).set(headers).expect(200);
      expect(response.headers).to.include({ 'access-control-allow-origin': '*' });
      expect(response.headers).not.to.have.property('access-control-allow-credentials');
    }
  });

  it('answers a preflight itself: neither authentication nor the upstream hears of it', async () => {
    const options = { origins: [SHOP], credentials: true, maxAge: '1h', exposed: ['X-Total'] };
    const { agent, upstream } = await runPlugin(cors, options, { after });
    const response = await agent
      .options(PATH)
      .set({
        Origin: SHOP,
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'x-api-key, content-type',
      })
      .expect(204);
    expect(response.headers).to.include({
      'access-control-allow-origin': SHOP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET,HEAD,PUT,POST,DELETE,PATCH',
      'access-control-allow-headers': 'x-api-key, content-type',
      'access-control-max-age': '3600',
      vary: 'Origin',
    });
    expect(response.text).to.equal('');
    expect(upstream.requests).to.have.length(0);
  });

  it('answers the preflight of a foreign page without leave, and lets it nowhere', async () => {
    const { agent, upstream } = await runPlugin(cors, { origins: [SHOP] }, { after });
    const preflight = { Origin: EVIL, 'Access-Control-Request-Method': 'GET' };
    const { headers } = await agent.options(PATH).set(preflight).expect(204);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).to.deep.equal([]);
    expect(headers.vary).to.equal('Origin');
    expect(upstream.requests).to.have.length(0);
  });

  it('names the fields and methods that it was given, and private networks where it may', async () => {
    const options = { methods: ['GET'], headers: ['X-One', 'X-Two'], privateNetwork: true };
    const { agent } = await runPlugin(cors, options);
    const { headers } = await agent
      .options(PATH)
      .set({
        Origin: SHOP,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'x-three',
        'Access-Control-Request-Private-Network': 'true',
      })
      .expect(204);
    expect(headers).to.include({
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'X-One,X-Two',
      'access-control-allow-private-network': 'true',
    });
  });

  it('passes an OPTIONS request on that is no preflight', async () => {
    const { agent, upstream } = await runPlugin(cors);
    await agent.options(PATH).set('Origin', SHOP).expect(200);
    expect(upstream.requests.map(({ method }) => method)).to.deep.equal(['OPTIONS']);
  });

  it('lets a listed page read, and no other', async () => {
    const { agent } = await runPlugin(cors, {
      origins: [SHOP, 'https://*.partner.example'],
      exposed: ['X-Total'],
    });
    const from = (origin: string) => agent.get(PATH).set('Origin', origin).expect(200);
    expect((await from(SHOP)).headers).to.include({
      'access-control-allow-origin': SHOP,
      'access-control-expose-headers': 'X-Total',
      vary: 'Origin',
    });
    const partner = await from('https://a.b.partner.example');
    expect(partner.headers['access-control-allow-origin']).to.equal('https://a.b.partner.example');
    const evil = await from(EVIL);
    expect(evil.headers).not.to.have.property('access-control-allow-origin');
    expect(evil.headers.vary).to.equal('Origin');
    const none = await agent.get(PATH).expect(200);
    expect(none.headers.vary).to.equal('Origin');
  });

  it('decides alone: what the upstream says is left out, and nothing stands twice', async () => {
    const upstream = (_req: unknown, res: import('node:http').ServerResponse) =>
      res
        .writeHead(200, {
          'Access-Control-Allow-Origin': '*',
          'Access-Control-Allow-Credentials': 'true',
          'Access-Control-Expose-Headers': 'X-Secret',
          Vary: 'Accept-Encoding',
        })
        .end('{}');
    const { agent } = await runPlugin(cors, { origins: [SHOP] }, { upstream });
    const allowed = await agent.get(PATH).set('Origin', SHOP).expect(200);
    expect(allowed.headers['access-control-allow-origin']).to.equal(SHOP);
    expect(allowed.headers.vary).to.equal('Origin, Accept-Encoding');
    for (const origin of [SHOP, EVIL]) {
      const { headers } = await agent.get(PATH).set('Origin', origin).expect(200);
      expect(headers).not.to.have.any.keys(
        'access-control-allow-credentials',
        'access-control-expose-headers',
      );
    }
    const evil = await agent.get(PATH).set('Origin', EVIL).expect(200);
    expect(evil.headers).not.to.have.property('access-control-allow-origin');
  });

  it('lets the page read errors, of inner plugins and of the gateway', async () => {
    const refused = await runPlugin(cors, { origins: [SHOP] }, { after });
    const unauthorized = await refused.agent.get(PATH).set('Origin', SHOP).expect(401);
    expect(unauthorized.headers).to.include({
      'access-control-allow-origin': SHOP,
      'www-authenticate': 'Bearer',
    });
    const gone = await startUpstream();
    await gone.close();
    const { agent } = await runPlugin(cors, { origins: [SHOP] }, { service: { targets: [gone.url] } });
    const failed = await agent.get(PATH).set('Origin', SHOP);
    expect(failed.status).to.be.within(502, 503);
    expect(failed.headers).to.include({ 'access-control-allow-origin': SHOP, vary: 'Origin' });
  });

  it('goes by the override of a route', async () => {
    const routes = [
      { id: 'open', match: { path: '/open' }, service: 'demo', plugins: { cors: { origins: ['*'] } } },
    ];
    const { agent } = await runPlugin(cors, { origins: [SHOP] }, { settings: { routes } });
    await agent.get('/open').set('Origin', EVIL).expect('Access-Control-Allow-Origin', '*');
    const { headers } = await agent.get(PATH).set('Origin', EVIL).expect(200);
    expect(headers).not.to.have.property('access-control-allow-origin');
  });

  it('does not start with credentials for any page, or with what is no origin', async () => {
    const failure = async (options: object) => {
      const error = await runPlugin(cors, options).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return String(error);
    };
    expect(await failure({ credentials: true })).to.contain('credentials: found true with the origin "*"');
    expect(await failure({ credentials: true, origins: [SHOP, '*'] })).to.contain('credentials');
    for (const origin of [
      'null',
      'shop.example.com',
      'https://shop.example.com/',
      'https://*',
      'https://*.com',
      'https://a.*.com',
    ]) {
      expect(await failure({ origins: [origin] }), origin).to.contain('origins[0]');
    }
  });
});

describe('the origins of cors', () => {
  it('fit as a browser writes them', () => {
    const origins = new Origins([
      'HTTPS://Shop.example.com:443',
      'http://localhost:3000',
      'https://*.example.org:8443',
    ]);
    const rows: [string, boolean][] = [
      ['https://shop.example.com', true],
      ['http://shop.example.com', false],
      ['https://shop.example.com.evil.example', false],
      ['http://localhost:3000', true],
      ['http://localhost:3001', false],
      ['https://a.example.org:8443', true],
      ['https://a.b.example.org:8443', true],
      ['https://a.example.org', false],
      ['https://example.org:8443', false],
      ['https://.example.org:8443', false],
      ['https://evilexample.org:8443', false],
      ['https://evil.example/.example.org:8443', false],
      ['https://evil.example?.example.org:8443', false],
      ['https://evil.example#.example.org:8443', false],
      ['https://user@a.example.org:8443', false],
      ['null', false],
      ['', false],
    ];
    for (const [origin, fits] of rows) expect(origins.has(origin), origin).to.equal(fits);
  });
});

/** Has an endpoint, as an authentication plugin has its login. */
const withEndpoint = definePlugin({
  name: 'with-endpoint',
  summary: 'Greets at an endpoint.',
  options: Type.Object({}),
  plugin: class {
    endpoints(router: EndpointRouter): void {
      router.post('/api/v1/auth/greet', (ctx) => {
        ctx.body = { greeting: 'hello' };
      });
    }
  },
});

describe('cors beyond the onion of a route', () => {
  const origin = 'https://app.example.com';

  it('answers for the endpoints of plugins, preflight and request', async () => {
    const { agent } = await runPlugin(cors, { origins: [origin] }, { after: [{ definition: withEndpoint }] });
    await agent
      .options('/api/v1/auth/greet')
      .set({ Origin: origin, 'Access-Control-Request-Method': 'POST' })
      .expect(204)
      .expect('Access-Control-Allow-Origin', origin);
    await agent
      .post('/api/v1/auth/greet')
      .set('Origin', origin)
      .expect(200, { greeting: 'hello' })
      .expect('Access-Control-Allow-Origin', origin);
  });

  it('answers a preflight on a route that matches by method and header fields', async () => {
    const route = {
      id: 'gold',
      match: { path: '/gold', methods: ['PUT'], headers: { 'x-tier': 'gold' } },
      service: 'demo',
    };
    const { agent, upstream } = await runPlugin(
      cors,
      { origins: [origin] },
      { settings: { routes: [route] } },
    );
    await agent
      .options('/gold')
      .set({ Origin: origin, 'Access-Control-Request-Method': 'PUT' })
      .expect(204)
      .expect('Access-Control-Allow-Origin', origin);
    await agent
      .options('/gold')
      .set({ Origin: origin, 'Access-Control-Request-Method': 'DELETE' })
      .expect(405);
    expect(upstream.requests).to.have.length(0);
  });
});
