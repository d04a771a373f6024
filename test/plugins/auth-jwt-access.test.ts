import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import { Client } from 'undici';
import {
  Authentication,
  definePlugin,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  OPTIONS as OPTIONS_TOKEN,
  PLUGIN_ID,
  type PluginDefinition,
  PublicPaths,
  type Route,
} from '../../core/index.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { fieldValues } from '../support/upstream.js';
import { CLAIMS, hs256, SECRET } from './auth-jwt-tokens.js';

const ECHO = '/api/v1/demo/echo';
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

interface FakeOptions {
  readonly mode: 'any' | 'all';
}

/** A second authentication plugin: `X-Fake: name` is the consumer of that name, `bad` is refused. */
@injectable()
class FakeAuthentication implements GatewayPlugin<FakeOptions> {
  readonly #options: FakeOptions;
  readonly #id: string;

  constructor(@inject(OPTIONS_TOKEN) options: FakeOptions, @inject(PLUGIN_ID) id: string) {
    this.#options = options;
    this.#id = id;
  }

  middleware(route: Route): GatewayMiddleware {
    const authentication = new Authentication(route, this.#id, this.#options.mode);
    return (ctx, next) => {
      if (authentication.isSettled(ctx)) return next();
      const name = ctx.get('X-Fake');
      if (name === '' || name === 'bad') {
        const error = new GatewayError('UNAUTHORIZED', { headers: { 'WWW-Authenticate': 'Fake' } });
        authentication.refuse(ctx, error, name !== '');
        return next();
      }
      authentication.accept(ctx, { id: name, authenticatedBy: this.#id });
      ctx.gateway.setUpstreamHeader('x-consumer-id', ctx.gateway.consumer?.id ?? '');
      return next();
    };
  }
}

const fake: PluginDefinition = definePlugin({
  name: 'auth-fake',
  summary: 'Believes a header.',
  options: Type.Object({ mode: Type.Enum(['any', 'all'], { default: 'any', description: '' }) }),
  provides: ['authentication'],
  plugin: FakeAuthentication,
});

describe('auth-jwt: who may pass', () => {
  describe('public and optional', () => {
    it('lets public paths pass, and nothing that only looks like one', async () => {
      const options = { secret: SECRET, public: ['/api/v1/demo/open', '/api/v1/demo/docs/*'] };
      const { agent, url } = await runPlugin(authJwt, options);
      for (const path of ['open', 'open?x=1', 'docs/', 'docs/a/b']) {
        await agent.get(`/api/v1/demo/${path}`).expect(200);
      }
      await agent.get('/api/v1/demo/open').set(bearer('bad')).expect(200);
      const client = new Client(url);
      for (const path of [
        'opener',
        'open/x',
        'docs',
        'docsx',
        'docs/../secret',
        'docs/%2e%2e/secret',
        'Open',
      ]) {
        const { statusCode, body } = await client.request({ method: 'GET', path: `/api/v1/demo/${path}` });
        await body.dump();
        expect(statusCode, path).to.be.oneOf([400, 401]);
      }
      await client.close();
    });

    it('takes no path for public that an upstream may read as another', () => {
      const paths = new PublicPaths(['/docs/*', '/up']);
      for (const path of ['/docs/', '/docs/a', '/docs/a%20b/c.html', '/up'])
        expect(paths.has(path), path).to.equal(true);
      for (const path of [
        '/docs',
        '/docs/..%2fx',
        '/docs/a%2F..',
        '/docs/..;/x',
        '/docs/..\\x',
        '/docs/%2E%2e/x',
        '/up/',
      ]) {
        expect(paths.has(path), path).to.equal(false);
      }
    });

    it('lets requests without a token pass where it is optional, and no bad token', async () => {
      const options = { secret: SECRET, optional: true, rules: [{ methods: ['POST'] }] };
      const { agent, upstream } = await runPlugin(authJwt, options);
      await agent.get(ECHO).expect(200);
      await agent.get(ECHO).set(bearer('bad')).expect(401);
      await agent.post(ECHO).expect(401);
      await agent.post(ECHO).set(bearer(hs256())).expect(200);
      expect(upstream.requests).to.have.length(2);
    });
  });

  describe('rules', () => {
    const rules = [
      { services: ['demo'], methods: ['GET'], scopes: ['read'] },
      { routes: ['demo'], methods: ['POST', 'DELETE'], scopes: ['read', 'write'] },
      { methods: ['DELETE'], roles: ['admin', 'owner'] },
      { services: ['other'], scopes: ['never'] },
    ];
    const cases: [string, object, number][] = [
      ['get', { scope: 'read' }, 200],
      ['get', { scope: ['x', 'read'] }, 200],
      ['get', { scope: 'reader read:all' }, 403],
      ['get', {}, 403],
      ['get', { scope: { read: true } }, 403],
      ['head', {}, 403],
      ['head', { scope: 'read' }, 200],
      ['put', {}, 200],
      ['post', { scope: 'write' }, 403],
      ['post', { scope: 'write read' }, 200],
      ['delete', { scope: 'write read' }, 403],
      ['delete', { scope: 'write read', roles: ['user'] }, 403],
      ['delete', { scope: 'write read', roles: 'owner' }, 200],
      ['delete', { scope: 'read', roles: ['admin'] }, 403],
    ];

    it('answers 403 where the token does not grant enough, 401 where there is none', async () => {
      const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, rules });
      let passed = 0;
      for (const [method, claims, status] of cases) {
        const test = {
          get: agent.get,
          head: agent.head,
          put: agent.put,
          post: agent.post,
          delete: agent.delete,
        };
        const send = test[method as keyof typeof test];
        const response = await send(ECHO).set(bearer(hs256({ ...CLAIMS, ...claims })));
        expect(response.status, `${method} ${JSON.stringify(claims)}`).to.equal(status);
        if (status === 200) passed += 1;
      }
      expect(upstream.requests).to.have.length(passed);
      const response = await agent.post(ECHO).set(bearer(hs256())).expect(403);
      expect(response.headers['www-authenticate']).to.equal(
        'Bearer realm="gateway", error="insufficient_scope", scope="read write"',
      );
      expect(response.body.code).to.equal('FORBIDDEN');
      await agent.post(ECHO).expect(401);
      await agent.post(ECHO).set(bearer('bad')).expect(401);
    });
  });

  describe('beside another authentication plugin', () => {
    const good = bearer(hs256());
    const cases: ['any' | 'all', object, number, string | undefined][] = [
      ['any', good, 200, 'alice'],
      ['any', { 'X-Fake': 'bob' }, 200, 'bob'],
      ['any', {}, 401, undefined],
      ['any', { ...bearer('bad') }, 401, undefined],
      ['any', { ...bearer('bad'), 'X-Fake': 'bob' }, 200, 'bob'],
      ['any', { ...good, 'X-Fake': 'bad' }, 200, 'alice'],
      ['all', good, 401, undefined],
      ['all', { 'X-Fake': 'bob' }, 401, undefined],
      ['all', { ...bearer('bad'), 'X-Fake': 'bob' }, 401, undefined],
    ];
    for (const place of ['before', 'after'] as const) {
      for (const mode of ['any', 'all'] as const) {
        it(`goes together with one ${place} it, mode ${mode}`, async () => {
          const list = { [place]: [{ definition: fake, options: { mode } }] };
          const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, mode }, list);
          for (const [of, headers, status, consumer] of cases) {
            if (of !== mode) continue;
            const response = await agent.get(ECHO).set({ 'X-Consumer-Id': 'root', ...headers });
            expect(response.status, JSON.stringify(headers)).to.equal(status);
            const forwarded = upstream.requests
              .splice(0)
              .flatMap(({ rawHeaders }) => fieldValues(rawHeaders, 'x-consumer-id'));
            expect(forwarded).to.deep.equal(consumer === undefined ? [] : [consumer]);
          }
          const both = await agent
            .get(ECHO)
            .set({ ...good, 'X-Fake': 'bob' })
            .expect(200);
          expect(both.status).to.equal(200);
          const first = place === 'before' ? 'bob' : 'alice';
          expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'x-consumer-id')).to.deep.equal([first]);
        });
      }
    }

    it('shows both challenges when nobody accepts', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET }, { after: [{ definition: fake }] });
      await agent.get(ECHO).expect(401).expect('WWW-Authenticate', 'Bearer realm="gateway", Fake');
    });
  });
});
