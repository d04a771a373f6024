import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import authJwt from '../../plugins/auth-jwt/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { fieldValues } from '../support/upstream.js';
import { CLAIMS, hs256, SECRET } from './auth-jwt-tokens.js';

const ECHO = '/api/v1/demo/echo';
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('auth-jwt: what the upstream gets', () => {
  describe('identity', () => {
    it('tells the upstream who calls', async () => {
      const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, rolesClaim: 'realm.roles' });
      const claims = {
        ...CLAIMS,
        sub: 'Zoë 100%\r\nX-Evil: 1',
        scope: 'read write',
        realm: { roles: ['admin', 7] },
      };
      await agent
        .get(ECHO)
        .set(bearer(hs256(claims)))
        .expect(200);
      const raw = upstream.requests[0]?.rawHeaders ?? [];
      expect(fieldValues(raw, 'x-consumer-id')).to.deep.equal(['Zo%C3%AB%20100%25%0D%0AX-Evil:%201']);
      expect(fieldValues(raw, 'x-consumer-scopes')).to.deep.equal(['read write']);
      expect(fieldValues(raw, 'x-consumer-roles')).to.deep.equal(['admin']);
      expect(fieldValues(raw, 'x-authenticated-by')).to.deep.equal(['auth-jwt']);
      expect(fieldValues(raw, 'x-evil')).to.deep.equal([]);
    });

    const forged = {
      'X-Consumer-Id': 'admin',
      'x-consumer-scopes': 'all',
      'X-CONSUMER-ROLES': 'root',
      'X-Consumer-Username': 'root',
      X_Consumer_Id: 'admin',
      'X-Consumer_Groups': 'wheel',
      'X-Credential-Id': 'me',
      'X-Authenticated-By': 'me',
      X_Authenticated_By: 'me',
      'X-Custom': 'stays',
    };
    for (const [name, options, token] of [
      ['with a token', {}, hs256()],
      ['anonymously', { optional: true }, undefined],
      ['on a public path', { public: [ECHO] }, undefined],
    ] as const) {
      it(`removes what a client claims to be, ${name}`, async () => {
        const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, ...options });
        await agent
          .get(ECHO)
          .set(forged)
          .set(token === undefined ? {} : bearer(token))
          .expect(200);
        const raw = upstream.requests[0]?.rawHeaders ?? [];
        const identity = raw.filter((text, i) => i % 2 === 0 && /^x[-_](consumer|auth|cred)/i.test(text));
        expect(identity).to.deep.equal(token === undefined ? [] : ['x-consumer-id', 'x-authenticated-by']);
        expect(raw).to.include('stays');
        expect(raw).not.to.include('admin');
      });
    }

    it('lets no Connection field take the identity away', async () => {
      const { url, upstream } = await runPlugin(authJwt, { secret: SECRET });
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.end(
        `GET ${ECHO} HTTP/1.1\r\nHost: a\r\nConnection: close, X-Consumer-Id\r\nAuthorization: Bearer ${hs256()}\r\n\r\n`,
      );
      socket.resume();
      await once(socket, 'close');
      expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'x-consumer-id')).to.deep.equal(['alice']);
    });
  });

  describe('cookie and query', () => {
    const token = hs256();

    it('takes the token from the cookie, and forwards the others byte for byte', async () => {
      const cases: [string, string[]][] = [
        [`jwt=${token}`, []],
        [`a=1; jwt=${token}; b="x y";  c=%20`, ['a=1; b="x y";  c=%20']],
        [`jwt=${token};a=1`, ['a=1']],
        [`a=1; jwt="${token}"`, ['a=1']],
      ];
      for (const [cookie, forwarded] of cases) {
        const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, cookie: 'jwt' });
        await agent.get(ECHO).set('Cookie', cookie).expect(200);
        expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'cookie')).to.deep.equal(forwarded);
      }
    });

    it('refuses two cookies of the name, and leaves other names alone', async () => {
      const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, cookie: 'jwt' });
      await agent.get(ECHO).set('Cookie', `jwt=${token}; jwt=${token}`).expect(401);
      await agent.get(ECHO).set('Cookie', `xjwt=${token}`).expect(401);
      await agent.get(ECHO).set('Cookie', `xjwt=1; jwtx=2; jwt`).set(bearer(token)).expect(200);
      expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'cookie')).to.deep.equal([
        'xjwt=1; jwtx=2; jwt',
      ]);
    });

    it('takes the token from the query, and forwards the rest byte for byte', async () => {
      const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, query: 'access_token' });
      const cases: [string, string][] = [
        [`?access_token=${token}`, ''],
        [`?a=%7e&access_token=${token}&&b=+%20&a`, '?a=%7e&&b=+%20&a'],
        [`?a=1&%61ccess_token=${token}`, '?a=1'],
      ];
      for (const [query, forwarded] of cases) {
        const response = await agent.get(`${ECHO}${query}`).expect(200);
        expect(upstream.requests.at(-1)?.url).to.equal(`/api/v1/echo${forwarded}`);
        expect(response.headers['cache-control']).to.equal('private');
      }
      await agent.get(`${ECHO}?access_token=${token}&access_token=${token}`).expect(401);
      await agent.get(`${ECHO}?access_token=${token}&access_token=x`).expect(401);
      await agent.get(`${ECHO}?access_token`).expect(401);
      await agent.get(`${ECHO}?a=access_token=${token}`).expect(401);
    });

    it('removes the token also where it is not needed', async () => {
      const options = { secret: SECRET, query: 't', cookie: 'jwt', public: [ECHO] };
      const { agent, upstream, logLines } = await runPlugin(authJwt, options);
      await agent.get(`${ECHO}?t=${token}&x=1`).set('Cookie', `jwt=${token}`).expect(200);
      expect(upstream.requests[0]?.url).to.equal('/api/v1/echo?x=1');
      expect(fieldValues(upstream.requests[0]?.rawHeaders ?? [], 'cookie')).to.deep.equal([]);
      expect(logLines.join('')).not.to.contain(token);
    });

    it('looks at neither unless it is told to, and believes the header first', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET });
      await agent.get(`${ECHO}?access_token=${token}`).set('Cookie', `jwt=${token}`).expect(401);
      const both = await runPlugin(authJwt, { secret: SECRET, cookie: 'jwt' });
      await both.agent.get(ECHO).set('Cookie', `jwt=${token}`).set(bearer('bad')).expect(401);
    });
  });
});
