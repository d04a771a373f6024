import { createSecretKey } from 'node:crypto';
import { expect } from 'chai';
import { request } from 'undici';
import authJwt from '../../plugins/auth-jwt/index.js';
import type { Algorithm } from '../../plugins/auth-jwt/keys/algorithms.js';
import { KeyRing } from '../../plugins/auth-jwt/keys/key-ring.js';
import { SECRET_COMMAND } from '../../plugins/auth-jwt/keys/shared-secret.js';
import { verificationKey } from '../../plugins/auth-jwt/keys/verification-key.js';
import { TokenVerifier } from '../../plugins/auth-jwt/token/token-verifier.js';
import { FakeClock } from '../support/fake-clock.js';
import { runPlugin } from '../support/plugin-kit.js';
import { CLAIMS, ecPair, hs256, NOW, rsaPair, SECRET, signed } from './auth-jwt-tokens.js';

const ECHO = '/api/v1/demo/echo';
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** What constructing the plugin with these options fails with. */
async function failureOf(options: object): Promise<string> {
  try {
    await runPlugin(authJwt, options);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('It was expected to fail');
}

describe('auth-jwt', () => {
  it('asks for a token where there is none, without an error code', async () => {
    const { agent, upstream } = await runPlugin(authJwt, { secret: SECRET, realm: 'api' });
    const response = await agent.get(ECHO).expect(401).expect('WWW-Authenticate', 'Bearer realm="api"');
    expect(response.body).to.include({ code: 'UNAUTHORIZED', error: 'Authentication is required' });
    await agent
      .get(ECHO)
      .set('Authorization', 'Basic YTpi')
      .expect(401)
      .expect('WWW-Authenticate', 'Bearer realm="api"');
    expect(upstream.requests).to.have.length(0);
  });

  it('takes the scheme in any case', async () => {
    const { agent } = await runPlugin(authJwt, { secret: SECRET });
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      await agent.get(ECHO).set('Authorization', `${scheme} ${hs256()}`).expect(200);
    }
  });

  it('refuses two Authorization fields, of which an upstream might believe the other', async () => {
    const { url, upstream } = await runPlugin(authJwt, { secret: SECRET });
    const { statusCode, body } = await request(`${url}${ECHO}`, {
      headers: ['authorization', `Bearer ${hs256()}`, 'authorization', 'Bearer other'],
    });
    await body.dump();
    expect(statusCode).to.equal(401);
    expect(upstream.requests).to.have.length(0);
  });

  describe('algorithms', () => {
    const rsa = rsaPair();
    const curves = { ES256: ecPair('P-256'), ES384: ecPair('P-384'), ES512: ecPair('P-521') };
    const cases: [Algorithm, object, Parameters<typeof signed>[3]][] = [
      ...(['HS256', 'HS384', 'HS512'] as const).map((alg): (typeof cases)[number] => [
        alg,
        { secret: SECRET, algorithms: [alg] },
        SECRET,
      ]),
      ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const).map(
        (alg): (typeof cases)[number] => [alg, { publicKey: rsa.pem, algorithms: [alg] }, rsa.privateKey],
      ),
      ...(['ES256', 'ES384', 'ES512'] as const).map((alg): (typeof cases)[number] => [
        alg,
        { publicKey: curves[alg].pem },
        curves[alg].privateKey,
      ]),
    ];
    for (const [alg, options, key] of cases) {
      it(`accepts ${alg}`, async () => {
        const { agent } = await runPlugin(authJwt, options);
        await agent
          .get(ECHO)
          .set(bearer(signed({ alg, typ: 'JWT' }, CLAIMS, alg, key)))
          .expect(200);
        await agent
          .get(ECHO)
          .set(bearer(signed({ alg, kid: 'any-1' }, CLAIMS, alg, key)))
          .expect(200);
        const [head, , mac] = signed({ alg }, CLAIMS, alg, key).split('.');
        const changed = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'eve' })).toString('base64url');
        await agent
          .get(ECHO)
          .set(bearer(`${head}.${changed}.${mac}`))
          .expect(401);
      });
    }

    it('ignores a kid where no key has a name, unless it is more than a name', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET });
      const token = (kid: string) => bearer(signed({ alg: 'HS256', kid }, CLAIMS, 'HS256', SECRET));
      for (const kid of ['1', 'key-2024_01.a', 'bWFkZQ==']) await agent.get(ECHO).set(token(kid)).expect(200);
      for (const kid of [
        '',
        '../../dev/null',
        '/dev/null',
        '..',
        "' OR 1=1 --",
        '$(id)',
        'a\u0000b',
        'a b',
      ]) {
        await agent.get(ECHO).set(token(kid)).expect(401);
      }
    });

    it('tells several keys apart by kid', async () => {
      const other = rsaPair();
      const publicKeys = [
        { kid: 'one', key: rsa.pem },
        { kid: 'two', key: other.pem },
      ];
      const { agent } = await runPlugin(authJwt, { publicKeys });
      const token = (kid: string, key: typeof rsa) =>
        bearer(signed({ alg: 'RS256', kid }, CLAIMS, 'RS256', key.privateKey));
      await agent.get(ECHO).set(token('one', rsa)).expect(200);
      await agent.get(ECHO).set(token('two', other)).expect(200);
      await agent.get(ECHO).set(token('one', other)).expect(401);
      await agent.get(ECHO).set(token('three', rsa)).expect(401);
    });
  });

  describe('options', () => {
    for (const secret of [
      'your-secret-key',
      'your-strong-secret-key',
      'your-secret-key-here',
      'x'.repeat(31),
    ]) {
      it(`refuses the secret of ${secret.length} bytes, and says how to make one`, async () => {
        const message = await failureOf({ secret });
        expect(message).to.contain(SECRET_COMMAND);
        expect(message).not.to.contain(secret);
      });
    }

    it('takes a weak secret where that is allowed, and warns', async () => {
      const { agent, logLines } = await runPlugin(authJwt, {
        secret: 'your-secret-key',
        allowWeakSecret: true,
      });
      await agent
        .get(ECHO)
        .set(bearer(hs256(CLAIMS, 'your-secret-key')))
        .expect(200);
      expect(logLines.join('')).to.contain('the secret is weak').and.not.to.contain('your-secret-key');
    });

    it('never takes a key for a secret', async () => {
      const { pem, publicKey } = rsaPair();
      const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
      const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
      for (const secret of [pem, pem.replaceAll('\n', ' '), der, jwk]) {
        expect(await failureOf({ secret, allowWeakSecret: true })).to.contain('Use the option publicKey');
      }
    });

    it('refuses keys and algorithms that do not go together', async () => {
      const rsa = rsaPair();
      const faults: [object, string][] = [
        [{}, 'no key'],
        [{ secret: SECRET, algorithms: ['RS256'] }, 'None of the algorithms RS256'],
        [{ secret: SECRET, algorithms: ['HS256', 'RS256'] }, 'RS256, which goes with no key'],
        [{ publicKey: rsa.pem, algorithms: ['HS256'] }, 'HS256, which goes with no key'],
        [{ publicKey: ecPair('P-256').pem, algorithms: ['ES384'] }, 'None of the algorithms ES384'],
        [{ publicKey: ecPair('secp256k1').pem }, 'cannot verify'],
        [{ publicKey: rsaPair(1024).pem }, 'at least 2048 bits'],
        [{ publicKey: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) }, 'is a private key'],
        [{ publicKey: '/none/such.pem' }, 'ENOENT'],
        [{ publicKey: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' }, 'holds no public key'],
        [
          {
            publicKeys: [
              { kid: 'a', key: rsa.pem },
              { kid: 'a', key: rsa.pem },
            ],
          },
          "kid 'a'",
        ],
        [{ jwks: [{ url: 'http://keys.example/jwks' }] }, 'must be https'],
        [{ jwks: [{ url: 'https://user:pass@keys.example/jwks' }] }, 'credentials'],
        [{ jwks: [{ url: 'file:///etc/passwd' }] }, 'must be https'],
        [{ secret: SECRET, publicKeys: [{ kid: 'a', key: rsa.pem, algorithms: ['HS256'] }] }, 'None of'],
      ];
      for (const [options, message] of faults) expect(await failureOf(options)).to.contain(message);
    });

    it('lets a route have keys and demands of its own', async () => {
      const other = 'o'.repeat(40);
      const service = { plugins: { 'auth-jwt': { secret: other, audience: ['demo'] } } };
      const { agent } = await runPlugin(authJwt, { secret: SECRET }, { service });
      await agent.get(ECHO).set(bearer(hs256())).expect(401);
      await agent
        .get(ECHO)
        .set(bearer(hs256(CLAIMS, other)))
        .expect(401);
      await agent
        .get(ECHO)
        .set(bearer(hs256({ ...CLAIMS, aud: 'demo' }, other)))
        .expect(200);
    });
  });

  describe('time', () => {
    it('allows for the clocks of others as far as it is told', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET, clockSkew: '30s' });
      const cases: [object, number][] = [
        [{ exp: NOW - 29 }, 200],
        [{ exp: NOW - 30 }, 401],
        [{ nbf: NOW + 30 }, 200],
        [{ nbf: NOW + 31 }, 401],
        [{ iat: NOW + 30 }, 200],
        [{ iat: NOW + 31 }, 401],
      ];
      for (const [claims, status] of cases) {
        await agent
          .get(ECHO)
          .set(bearer(hs256({ ...CLAIMS, ...claims })))
          .expect(status);
      }
    });

    it('forgets a remembered token the moment it expires', async () => {
      for (const cache of [0, 10]) {
        const { agent, clock } = await runPlugin(authJwt, { secret: SECRET, cache });
        const token = bearer(hs256({ ...CLAIMS, exp: NOW + 5 }));
        await agent.get(ECHO).set(token).expect(200);
        clock.tick(4999);
        await agent.get(ECHO).set(token).expect(200);
        clock.tick(1);
        const response = await agent.get(ECHO).set(token).expect(401);
        expect(response.headers['www-authenticate']).to.contain('The access token has expired');
      }
    });

    it('remembers no more tokens than it may', () => {
      const key = verificationKey('secret', createSecretKey(Buffer.from(SECRET)), undefined, ['HS256']);
      const demands = { issuer: undefined, audience: undefined, clockSkew: 0, requiredClaims: ['exp'] };
      const options = {
        pluginId: 'auth-jwt',
        ...demands,
        scopesClaim: 'scope',
        rolesClaim: 'roles',
        cache: 3,
      };
      const verifier = new TokenVerifier(new KeyRing([key], []), options, new FakeClock());
      const tokens = Array.from({ length: 10 }, (_, i) => hs256({ ...CLAIMS, sub: `user-${i}` }));
      const verified = tokens.map((token) => verifier.verify(token));
      expect(verifier.remembered).to.equal(3);
      expect(verifier.verify(tokens[9] ?? '')).to.equal(verified[9]);
      expect(verifier.verify(tokens[0] ?? '')).not.to.equal(verified[0]);
      expect(() => verifier.verify(`${tokens[9]}A`)).to.throw('refused');
      expect(verifier.remembered).to.equal(3);
    });

    it('shows in the status that authentication is on', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET });
      const { body } = await agent.get('/api/v1/gateway/status').expect(200);
      expect(body.config.enable_auth).to.equal(true);
    });

    it('needs the claims it is told to need, and exp only if it is among them', async () => {
      const { agent } = await runPlugin(authJwt, { secret: SECRET, requiredClaims: ['tenant', 'jti'] });
      await agent.get(ECHO).set(bearer(hs256())).expect(401);
      await agent
        .get(ECHO)
        .set(bearer(hs256({ sub: 'a', tenant: 1, jti: '' })))
        .expect(401);
      await agent
        .get(ECHO)
        .set(bearer(hs256({ sub: 'a', tenant: 1, jti: 'x' })))
        .expect(200);
    });
  });
});
