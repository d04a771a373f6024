import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { Type } from 'typebox';
import {
  Authentication,
  ConfigurationError,
  definePlugin,
  type GatewayContext,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  type PluginDefinition,
  type Route,
} from '../../core/index.js';
import authApiKey from '../../plugins/auth-apikey/index.js';
import { type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { fieldValues, type Upstream } from '../support/upstream.js';

const KEY = 'a-key-for-the-tests-of-alice';
const OTHER = 'a-key-for-the-tests-of-bob';
const sha256 = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
const alice = { consumer: 'alice', name: 'test', hash: sha256(KEY) };
const bob = { id: 'bob-1', consumer: 'bob', name: 'test', key: OTHER };
const PATH = '/api/v1/demo/echo';

const sent = (upstream: Upstream, name: string) =>
  fieldValues(upstream.requests.at(-1)?.rawHeaders ?? [], name);

/** Stands after or before the plugin, and keeps the consumer that it sees. */
function witness() {
  const seen: GatewayContext['gateway']['consumer'][] = [];
  class Witness implements GatewayPlugin {
    middleware(): GatewayMiddleware {
      return (ctx, next) => {
        seen.push(ctx.gateway.consumer);
        return next();
      };
    }
  }
  const definition = definePlugin({
    name: 'witness',
    summary: 'Looks on.',
    options: Type.Object({}),
    plugin: Witness,
  });
  return { seen, definition };
}

/** Another authentication plugin: `x-user` names the consumer, and `wrong` is refused. */
function otherAuthentication(mode: 'any' | 'all'): PluginDefinition {
  class Other implements GatewayPlugin {
    middleware(route: Route): GatewayMiddleware {
      const authentication = new Authentication(route, 'other', mode);
      return (ctx, next) => {
        if (authentication.isSettled(ctx)) return next();
        const user = ctx.get('x-user');
        if (user === 'nobody') {
          authentication.accept(ctx, undefined);
        } else if (user === '' || user === 'wrong') {
          const headers = { 'WWW-Authenticate': 'Other realm="gateway"' };
          const error = new GatewayError('UNAUTHORIZED', { message: `other: ${user || 'none'}`, headers });
          authentication.refuse(ctx, error, user !== '');
        } else {
          const consumer = { id: user, authenticatedBy: 'other' };
          authentication.accept(ctx, consumer);
          if (ctx.gateway.consumer === consumer) ctx.gateway.setUpstreamHeader('x-consumer-id', user);
        }
        return next();
      };
    }
  }
  return definePlugin({
    name: 'other',
    summary: 'Authenticates.',
    options: Type.Object({}),
    provides: ['authentication'],
    plugin: Other,
  });
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('auth-apikey', () => {
  describe('a key', () => {
    it('lets a request pass, and names its consumer to plugins and the upstream', async () => {
      const { definition, seen } = witness();
      const keys = [{ ...alice, id: 'a-1', rateLimit: { requests: 5, window: '1m', burst: 9 } }, bob];
      const { agent, upstream } = await runPlugin(authApiKey, { keys }, { after: [{ definition }] });
      await agent.get(PATH).set('X-API-Key', KEY).expect(200);
      expect(seen).to.deep.equal([
        {
          id: 'alice',
          authenticatedBy: 'auth-apikey',
          credentialId: 'a-1',
          rateLimit: { requests: 5, window: 60_000, burst: 9 },
        },
      ]);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
      expect(sent(upstream, 'x-credential-id')).to.deep.equal(['a-1']);
      expect(sent(upstream, 'x-authenticated-by')).to.deep.equal(['auth-apikey']);
      expect(sent(upstream, 'x-api-key')).to.deep.equal([]);
      await agent.get(PATH).set('X-API-Key', OTHER).expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['bob']);
    });

    it('reaches the upstream only where that is wanted', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice], forward: true });
      await agent.get(PATH).set('X-API-Key', KEY).expect(200);
      expect(sent(upstream, 'x-api-key')).to.deep.equal([KEY]);
    });

    it('is looked for in the header field of the configuration', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice], header: 'X-Partner' });
      await agent.get(PATH).set('X-API-Key', KEY).expect(401);
      await agent.get(PATH).set('x-partner', KEY).expect(200);
      expect(sent(upstream, 'x-partner')).to.deep.equal([]);
    });

    it('has an id that does not tell the key’s hash', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice] });
      await agent.get(PATH).set('X-API-Key', KEY).expect(200);
      const [id = ''] = sent(upstream, 'x-credential-id');
      expect(id).to.match(/^cfg_[0-9a-f]{16}$/);
      expect(alice.hash).not.to.contain(id.slice(4));
    });

    it('is not valid any more from its expiry on', async () => {
      const keys = [{ ...alice, expires: '2024-01-01T12:00:01Z' }];
      const { agent, clock } = await runPlugin(authApiKey, { keys });
      clock.tick(999);
      await agent.get(PATH).set('X-API-Key', KEY).expect(200);
      clock.tick(1);
      await agent.get(PATH).set('X-API-Key', KEY).expect(401);
    });
  });

  describe('without a valid key', () => {
    const refused: [string, Record<string, string>][] = [
      ['no key', {}],
      ['an empty key', { 'X-API-Key': '' }],
      ['an unknown key', { 'X-API-Key': `${KEY}x` }],
      ['a key in the wrong case', { 'X-API-Key': KEY.toUpperCase() }],
      ['a short key', { 'X-API-Key': 'a' }],
      ['a key of 4 KB', { 'X-API-Key': 'a'.repeat(4096) }],
      ['an expired key', { 'X-API-Key': OTHER }],
      ['a hash for a key', { 'X-API-Key': sha256(KEY) }],
      ['a digest for a key', { 'X-API-Key': sha256(KEY).slice(7) }],
      ['two keys in one field', { 'X-API-Key': `${KEY}, ${KEY}` }],
      ['bytes outside ASCII', { 'X-API-Key': '\u00e9'.repeat(30) }],
    ];
    it('answers 401 with the same words, whatever was wrong', async () => {
      const keys = [alice, { ...bob, expires: '2024-01-01T11:00:00Z' }];
      const { agent, upstream } = await runPlugin(authApiKey, { keys });
      for (const [name, headers] of refused) {
        const response = await agent.get(PATH).set(headers);
        expect(response.status, name).to.equal(401);
        expect(response.headers['www-authenticate'], name).to.equal('ApiKey realm="gateway"');
        expect(response.body, name).to.include({
          code: 'UNAUTHORIZED',
          error: 'A valid API key is required',
        });
      }
      expect(upstream.requests).to.deep.equal([]);
    });

    it('lets requests pass to public paths, as nobody’s unless the key is valid', async () => {
      const options = { keys: [alice], public: [PATH, '/api/v1/demo/open/*'] };
      const { agent, upstream } = await runPlugin(authApiKey, options);
      await agent.get(PATH).set('X-Consumer-Id', 'admin').expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal([]);
      await agent.get(PATH).set('X-API-Key', 'a wrong key that is long enough').expect(200);
      expect(sent(upstream, 'x-api-key')).to.deep.equal([]);
      await agent.get('/api/v1/demo/open/a').set('X-API-Key', KEY).expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
      await agent.get('/api/v1/demo/open').expect(401);
      await agent.get('/api/v1/demo/open/../closed').expect((response) => {
        expect(response.status).to.be.oneOf([400, 401]);
      });
    });

    it('lets requests without a key pass where keys are optional, but none with a wrong one', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice], optional: true });
      await agent.get(PATH).set('X-Consumer-Id', 'admin').set('X-Credential-Id', 'x').expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal([]);
      expect(sent(upstream, 'x-credential-id')).to.deep.equal([]);
      await agent.get(PATH).set('X-API-Key', KEY).expect(200);
      await agent.get(PATH).set('X-API-Key', `${KEY}x`).expect(401);
    });
  });

  it('takes no identity from a client, also not in a spelling that CGI reads alike', async () => {
    const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice] });
    const forged = [
      'X-Consumer-Id',
      'x_consumer_id',
      'X-Consumer_Id',
      'x_consumer-id',
      'X-Credential-ID',
      'x_credential_id',
      'X-Consumer-Roles',
      'x_consumer-scopes',
      'X_Authenticated-By',
    ];
    await agent
      .get(PATH)
      .set(Object.fromEntries(forged.map((name) => [name, 'admin'])))
      .set('Connection', 'x-consumer-id')
      .set('X-API-Key', KEY)
      .expect(200);
    const raw = upstream.requests.at(-1)?.rawHeaders ?? [];
    expect(raw).not.to.include('admin');
    expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
  });

  describe('the query parameter', () => {
    const options = { keys: [alice, bob], query: 'api_key' };
    it('is taken out, and the rest of the query forwarded byte for byte', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, options);
      await agent.get(`${PATH}?b=%7e+1&api_key=${KEY}&&a=%C3%A9&b`).expect(200);
      expect(upstream.requests.at(-1)?.url).to.match(/\/echo\?b=%7e\+1&&a=%C3%A9&b$/);
      await agent.get(`${PATH}?api%5Fkey=${KEY}`).expect(200);
      expect(upstream.requests.at(-1)?.url).to.match(/\/echo$/);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
    });

    it('never stands beside another key', async () => {
      const { agent } = await runPlugin(authApiKey, options);
      await agent.get(`${PATH}?api_key=${KEY}&api_key=${OTHER}`).expect(401);
      await agent.get(`${PATH}?api_key=${KEY}`).set('X-API-Key', OTHER).expect(401);
      await agent.get(`${PATH}?api_key=%zz`).expect(401);
    });

    it('is nothing special unless it is configured', async () => {
      const { agent, upstream } = await runPlugin(authApiKey, { keys: [alice] });
      await agent.get(`${PATH}?api_key=${KEY}`).expect(401);
      await agent.get(`${PATH}?api_key=1`).set('X-API-Key', KEY).expect(200);
      expect(upstream.requests.at(-1)?.url).to.match(/\/echo\?api_key=1$/);
    });
  });

  it('answers 403 for services and methods that a key does not open', async () => {
    const keys = [
      { ...alice, services: ['other-service', 'demo'], methods: ['GET'] },
      { ...bob, services: ['other-service'] },
    ];
    const { agent } = await runPlugin(authApiKey, { keys });
    await agent.get(PATH).set('X-API-Key', KEY).expect(200);
    await agent.head(PATH).set('X-API-Key', KEY).expect(200);
    const response = await agent.post(PATH).set('X-API-Key', KEY).expect(403);
    expect(response.body).to.include({ code: 'FORBIDDEN' });
    await agent.get(PATH).set('X-API-Key', OTHER).expect(403);
  });

  describe('beside another authentication plugin', () => {
    const run = (mode: 'any' | 'all', place: 'before' | 'after', own: object = {}) => {
      const kit: PluginKitOptions = { [place]: [{ definition: otherAuthentication(mode) }] };
      return runPlugin(authApiKey, { keys: [alice, { ...bob, services: ['x'] }], mode, ...own }, kit);
    };
    for (const place of ['before', 'after'] as const) {
      it(`with any, one is enough (the other ${place})`, async () => {
        const { agent, upstream } = await run('any', place);
        await agent.get(PATH).set('X-API-Key', KEY).expect(200);
        expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
        await agent.get(PATH).set('X-API-Key', KEY).set('x-user', 'wrong').expect(200);
        await agent
          .get(PATH)
          .set({ 'x-user': 'carol', 'X-Credential-Id': 'forged', 'X-Consumer-Id': 'forged' })
          .expect(200);
        expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['carol']);
        expect(sent(upstream, 'x-credential-id')).to.deep.equal([]);
        await agent.get(PATH).set('x-user', 'carol').set('X-API-Key', `${KEY}x`).expect(200);
        expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['carol']);
        expect(sent(upstream, 'x-api-key')).to.deep.equal([]);
      });

      it(`with any, somebody must accept (the other ${place})`, async () => {
        const { agent, upstream } = await run('any', place);
        const nothing = await agent.get(PATH).expect(401);
        expect(nothing.headers['www-authenticate'])
          .to.contain('ApiKey realm="gateway"')
          .and.contain('Other realm="gateway"');
        const wrongKey = await agent.get(PATH).set('X-API-Key', `${KEY}x`).expect(401);
        expect(wrongKey.body.error).to.equal('A valid API key is required');
        await agent.get(PATH).set('X-API-Key', OTHER).expect(403);
        expect(upstream.requests).to.deep.equal([]);
      });

      it(`with all, each must accept, and the first names the consumer (the other ${place})`, async () => {
        const { agent, upstream } = await run('all', place);
        await agent.get(PATH).set('X-API-Key', KEY).expect(401);
        await agent.get(PATH).set('x-user', 'carol').expect(401);
        await agent.get(PATH).set('X-API-Key', KEY).set('x-user', 'wrong').expect(401);
        expect(upstream.requests).to.deep.equal([]);
        await agent.get(PATH).set('X-API-Key', KEY).set('x-user', 'carol').expect(200);
        expect(sent(upstream, 'x-consumer-id')).to.deep.equal([place === 'before' ? 'carol' : 'alice']);
        expect(sent(upstream, 'x-credential-id')).to.have.lengthOf(place === 'before' ? 0 : 1);
      });
    }

    it('says whose a request is that the other has let in as nobody’s', async () => {
      const { agent, upstream } = await run('any', 'before');
      await agent.get(PATH).set('x-user', 'nobody').set('X-API-Key', KEY).expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['alice']);
      await agent.get(PATH).set('x-user', 'nobody').set('X-API-Key', `${KEY}x`).expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal([]);
    });

    it('optional keys let nobody pass whom the other has refused', async () => {
      const { agent } = await run('any', 'before', { optional: true });
      await agent.get(PATH).expect(401);
      const response = await agent.get(PATH).set('x-user', 'wrong').expect(401);
      expect(response.body.error).to.equal('other: wrong');
    });

    it('optional keys leave requests without one to the other that stands behind', async () => {
      const { agent, upstream } = await run('any', 'after', { optional: true });
      await agent.get(PATH).expect(401);
      await agent.get(PATH).set('x-user', 'carol').expect(200);
      expect(sent(upstream, 'x-consumer-id')).to.deep.equal(['carol']);
    });
  });

  it('takes other keys where a service or a route says so', async () => {
    const service = { plugins: { 'auth-apikey': { keys: [bob] } } };
    const { agent } = await runPlugin(authApiKey, { keys: [alice] }, { service });
    await agent.get(PATH).set('X-API-Key', KEY).expect(401);
    await agent.get(PATH).set('X-API-Key', OTHER).expect(200);
  });

  it('takes new keys of the configuration with a reload', async () => {
    const { agent, gateway, configuration } = await runPlugin(authApiKey, { keys: [alice] });
    await gateway.reload(configuration({ keys: [bob] }));
    await agent.get(PATH).set('X-API-Key', KEY).expect(401);
    await agent.get(PATH).set('X-API-Key', OTHER).expect(200);
  });

  describe('a wrong configuration', () => {
    const wrong: [string, object, string][] = [
      ['neither hash nor key', { keys: [{ consumer: 'a', name: 'n' }] }, 'keys[0]: found neither'],
      ['both hash and key', { keys: [{ ...alice, key: OTHER }] }, 'keys[0]: found both'],
      [
        'a key twice',
        { keys: [alice, { ...bob, key: KEY }] },
        'keys[1]: found a key that stands there twice',
      ],
      [
        'an id twice',
        { keys: [{ ...alice, id: 'bob-1' }, bob] },
        'keys[1]: found a second key with the id "bob-1"',
      ],
      [
        'a day that does not exist',
        { keys: [{ ...alice, expires: '2024-02-30T00:00:00Z' }] },
        'keys[0].expires',
      ],
      ['a day without a time', { keys: [{ ...alice, expires: '2030-01-01' }] }, 'keys[0].expires'],
      ['a short key', { keys: [{ ...bob, key: 'hunter2' }] }, 'keys[0].key'],
      ['an MD5 hash', { keys: [{ ...alice, hash: 'md5:0123' }] }, 'keys[0].hash'],
      ['a consumer with a line break', { keys: [{ ...alice, consumer: 'a\r\nb' }] }, 'keys[0].consumer'],
      ['a wildcard in a public path', { public: ['/a*'] }, 'public[0]'],
      ['a header that is none', { header: 'x api key' }, 'header'],
      ['an unknown mode', { mode: 'some' }, 'mode'],
      ['an unknown option', { hedaer: 'x' }, 'hedaer'],
    ];
    for (const [name, options, message] of wrong) {
      it(`is refused: ${name}`, async () => {
        const failure = await failureOf(runPlugin(authApiKey, options));
        expect(failure).to.be.instanceOf(ConfigurationError);
        const text = failure instanceof Error ? failure.message : '';
        expect(text).to.contain(message);
        expect(text).not.to.contain('hunter2').and.not.to.contain(KEY).and.not.to.contain(OTHER);
      });
    }
  });
});
