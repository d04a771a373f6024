import { expect } from 'chai';
import type { Logger } from '../../core/index.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import { httpFetcher } from '../../plugins/auth-jwt/keys/jwks-fetch.js';
import { RemoteKeys } from '../../plugins/auth-jwt/keys/remote-keys.js';
import { KeysUnavailable } from '../../plugins/auth-jwt/token/token-refused.js';
import { FakeClock } from '../support/fake-clock.js';
import { runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import { startUpstream, type Upstream } from '../support/upstream.js';
import { CLAIMS, type Pair, rsaPair, SECRET, signed } from './auth-jwt-tokens.js';

const ECHO = '/api/v1/demo/echo';
const [one, two] = [rsaPair(), rsaPair()];

const jwk = (pair: Pair, more: object) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });
const setOf = (...keys: object[]) => JSON.stringify({ keys });
const bearer = (kid: string | undefined, key: Pair, claims: object = CLAIMS) => {
  const header = { alg: 'RS256', typ: 'JWT', ...(kid === undefined ? {} : { kid }) };
  return { Authorization: `Bearer ${signed(header, { ...claims }, 'RS256', key.privateKey)}` };
};

function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    fatal: write,
    child: () => logger,
  };
  return { logger, lines };
}

/** Remote keys over a fetcher that the test answers for. */
function remoteKeys() {
  const clock = new FakeClock();
  const server = {
    answer: setOf(jwk(one, { kid: 'one' })),
    away: false,
    fetches: 0,
    held: undefined as Promise<void> | undefined,
  };
  const { logger, lines } = recordingLogger();
  const options = {
    url: 'https://keys.example/jwks',
    algorithms: ['RS256'] as const,
    ttl: 600_000,
    cooldown: 30_000,
  };
  const keys = new RemoteKeys(
    options,
    async () => {
      server.fetches += 1;
      await server.held;
      if (server.away) throw new Error('The key server is away');
      return server.answer;
    },
    clock,
    logger,
  );
  return { keys, clock, server, lines };
}

describe('auth-jwt: JWKS', () => {
  describe('RemoteKeys', () => {
    it('fetches once for many at the same time', async () => {
      const { keys, server } = remoteKeys();
      const found = await Promise.all(Array.from({ length: 100 }, () => keys.find('one')));
      expect(new Set(found).size).to.equal(1);
      expect(found[0]?.kid).to.equal('one');
      expect(server.fetches).to.equal(1);
    });

    it('fetches at most twice for 1,000 unknown kids, and once more after each cooldown', async () => {
      const { keys, clock, server } = remoteKeys();
      const ask = async () => {
        for (let i = 0; i < 500; i++) await keys.find(`unknown-${i}`);
        const rest = Array.from({ length: 500 }, (_, i) => keys.find(`other-${i}`));
        expect((await Promise.all(rest)).every((key) => key === undefined)).to.equal(true);
      };
      await ask();
      expect(server.fetches).to.equal(2);
      clock.tick(29_999);
      await ask();
      expect(server.fetches).to.equal(2);
      clock.tick(1);
      await ask();
      expect(server.fetches).to.equal(3);
    });

    it('learns of a new key by its kid', async () => {
      const { keys, server } = remoteKeys();
      await keys.load();
      server.answer = setOf(jwk(one, { kid: 'one' }), jwk(two, { kid: 'two' }));
      expect((await keys.find('two'))?.kid).to.equal('two');
      expect(keys.version).to.equal(0);
    });

    it('keeps the last good keys while the server is away, asking once per cooldown', async () => {
      const { keys, clock, server, lines } = remoteKeys();
      await keys.load();
      server.away = true;
      clock.tick(600_000);
      for (let i = 0; i < 100; i++) {
        expect(keys.get('one')?.kid).to.equal('one');
        expect(await keys.find('unknown')).to.equal(undefined);
      }
      expect(server.fetches).to.equal(2);
      clock.tick(86_400_000);
      expect((await keys.find('one'))?.kid).to.equal('one');
      expect(server.fetches).to.equal(2);
      expect(keys.get('one')?.kid).to.equal('one');
      expect(server.fetches).to.equal(3);
      expect(lines.join('')).to.contain('"keys_kept":1');
    });

    it('keeps the last good keys when the answer is no key set', async () => {
      for (const answer of ['<html>', '{}', '[]', 'null', '{"keys":{}}']) {
        const { keys, clock, server, lines } = remoteKeys();
        await keys.load();
        server.answer = answer;
        clock.tick(600_000);
        keys.get('one');
        await keys.find('unknown');
        expect(server.fetches).to.equal(2);
        expect(keys.get('one')?.kid).to.equal('one');
        expect(lines.join('')).not.to.contain('<html>');
      }
    });

    it('fetches stale keys anew without anybody waiting', async () => {
      const { keys, clock, server } = remoteKeys();
      await keys.load();
      server.answer = setOf(jwk(two, { kid: 'two' }));
      let release = () => {};
      server.held = new Promise((resolve) => {
        release = resolve;
      });
      clock.tick(600_000);
      expect(keys.get('one')?.kid).to.equal('one');
      expect(keys.get('one')?.kid).to.equal('one');
      expect(server.fetches).to.equal(2);
      release();
      expect((await keys.find('two'))?.kid).to.equal('two');
      expect(keys.get('one')).to.equal(undefined);
      expect(keys.version).to.equal(1);
      expect(server.fetches).to.equal(2);
    });

    it('says that nothing is known where keys were never there', async () => {
      const { keys, clock, server } = remoteKeys();
      server.away = true;
      for (let i = 0; i < 50; i++) {
        const failure = await keys.find('one').catch((error: unknown) => error);
        expect(failure).to.be.instanceOf(KeysUnavailable);
      }
      expect(server.fetches).to.equal(1);
      server.away = false;
      clock.tick(30_000);
      expect((await keys.find('one'))?.kid).to.equal('one');
    });
  });

  describe('over HTTP', () => {
    let server: Upstream;
    let answer: (path: string) => { status: number; body: string };
    beforeEach(async () => {
      answer = () => ({ status: 200, body: setOf(jwk(one, { kid: 'one' })) });
      server = await startUpstream((req, res) => {
        const { status, body } = answer(req.url ?? '');
        res.writeHead(status, status === 302 ? { location: '/other' } : {});
        res.end(body);
      });
    });
    afterEach(() => server.close());

    const options = () => ({ jwks: [{ url: `${server.url}/jwks` }] });

    it('accepts tokens of the keys, and no others', async () => {
      const { agent, upstream } = await runPlugin(authJwt, options());
      await agent.get(ECHO).set(bearer('one', one)).expect(200);
      await agent.get(ECHO).set(bearer(undefined, one)).expect(200);
      await agent.get(ECHO).set(bearer('one', two)).expect(401);
      await agent.get(ECHO).set(bearer(undefined, two)).expect(401);
      const pem = signed({ alg: 'HS256', kid: 'one' }, CLAIMS, 'HS256', one.pem);
      await agent.get(ECHO).set('Authorization', `Bearer ${pem}`).expect(401);
      expect(upstream.requests).to.have.length(2);
      expect(server.requests).to.have.length(1);
    });

    it('fetches at most twice for 1,000 requests with unknown kids', async () => {
      const { url } = await runPlugin(authJwt, options());
      const send = async (i: number) => {
        const response = await fetch(`${url}${ECHO}`, {
          headers: bearer(`unknown-${i}`, two, { ...CLAIMS }),
        });
        await response.arrayBuffer();
        return response.status;
      };
      for (let batch = 0; batch < 20; batch++) {
        const statuses = await Promise.all(Array.from({ length: 50 }, (_, i) => send(batch * 50 + i)));
        expect(new Set(statuses)).to.deep.equal(new Set([401]));
      }
      expect(server.requests).to.have.length(2);
    });

    it('accepts known tokens while the key server is away, also after a reload', async () => {
      const kit = await runPlugin(authJwt, options());
      await server.close();
      kit.clock.tick(300_000);
      await kit.agent.get(ECHO).set(bearer('one', one)).expect(200);
      await kit.gateway.reload(kit.configuration({ ...options(), realm: 'new' }));
      await kit.agent
        .get(ECHO)
        .set(bearer('one', one, { ...CLAIMS, sub: 'bob' }))
        .expect(200);
      await kit.agent.get(ECHO).set(bearer('two', two)).expect(401);
    });

    it('answers 503 where the keys were never there, and recovers', async () => {
      answer = () => ({ status: 500, body: '' });
      const { agent, clock, upstream } = await runPlugin(authJwt, options());
      const response = await agent.get(ECHO).set(bearer('one', one)).expect(503);
      expect(response.headers['retry-after']).to.equal('30');
      await agent.get(ECHO).expect(401);
      expect(upstream.requests).to.have.length(0);
      answer = () => ({ status: 200, body: setOf(jwk(one, { kid: 'one' })) });
      clock.tick(30_000);
      await agent.get(ECHO).set(bearer('one', one)).expect(200);
    });

    it('forgets remembered tokens of a key that was taken back', async () => {
      const { agent, clock } = await runPlugin(authJwt, options());
      const claims = { ...CLAIMS, exp: CLAIMS.exp + 86_400 };
      const token = bearer('one', one, claims);
      await agent.get(ECHO).set(token).expect(200);
      answer = () => ({ status: 200, body: setOf(jwk(two, { kid: 'two' })) });
      clock.tick(600_000);
      await agent
        .get(ECHO)
        .set(bearer('two', two, claims))
        .expect(200);
      for (let i = 0; i < 2; i++) await agent.get(ECHO).set(token).expect(401);
    });

    it('looks at the keys again also where only remembered tokens come', async () => {
      const { agent, clock } = await runPlugin(authJwt, options());
      const token = bearer('one', one, { ...CLAIMS, exp: CLAIMS.exp + 86_400 });
      await agent.get(ECHO).set(token).expect(200);
      answer = () => ({ status: 200, body: setOf(jwk(two, { kid: 'two' })) });
      clock.tick(600_000);
      await agent.get(ECHO).set(token).expect(200);
      await until('the new keys', () => server.requests.length === 2);
      await until('the refusal', async () => (await agent.get(ECHO).set(token)).status === 401);
    });

    it('works beside a secret', async () => {
      const { agent } = await runPlugin(authJwt, { ...options(), secret: SECRET });
      const token = signed({ alg: 'HS256' }, CLAIMS, 'HS256', SECRET);
      await agent.get(ECHO).set('Authorization', `Bearer ${token}`).expect(200);
      await agent.get(ECHO).set(bearer('one', one)).expect(200);
      const confused = signed({ alg: 'HS256', kid: 'one' }, CLAIMS, 'HS256', SECRET);
      await agent.get(ECHO).set('Authorization', `Bearer ${confused}`).expect(401);
    });

    it('bounds what it reads, and follows no redirect', async () => {
      const fetchText = httpFetcher({ timeout: 5000, maxBytes: 1000 });
      answer = () => ({ status: 200, body: 'x'.repeat(1000) });
      expect(await fetchText(server.url)).to.have.length(1000);
      answer = () => ({ status: 200, body: 'x'.repeat(1001) });
      expect(await fetchText(server.url).catch((error: Error) => error.message)).to.contain(
        'more than 1000 bytes',
      );
      answer = () => ({ status: 302, body: '' });
      expect(await fetchText(server.url).catch((error: Error) => error.message)).to.contain('status 302');
      expect(server.requests.map(({ url }) => url)).not.to.include('/other');
    });
  });
});
