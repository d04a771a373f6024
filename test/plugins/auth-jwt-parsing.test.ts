import { expect } from 'chai';
import fc from 'fast-check';
import { parseJwks } from '../../plugins/auth-jwt/keys/jwks-parse.js';
import { hasDuplicateMembers } from '../../plugins/auth-jwt/token/json-members.js';
import { ecPair, type Pair, rsaPair } from './auth-jwt-tokens.js';

const jwk = (pair: Pair, more: object) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });
const setOf = (...keys: object[]) => JSON.stringify({ keys });

describe('auth-jwt: key sets', () => {
  it('takes only keys that may verify', () => {
    const one = rsaPair();
    const small = rsaPair(1024);
    const ec = ecPair();
    const keys = parseJwks(
      setOf(
        jwk(one, { kid: 'good', use: 'sig', alg: 'RS256', key_ops: ['verify'] }),
        jwk(one, { kid: 'for encryption', use: 'enc' }),
        jwk(one, { kid: 'to sign', key_ops: ['sign'] }),
        jwk(one, { kid: 'other algorithm', alg: 'RS512' }),
        jwk(one, { kid: 'hmac', alg: 'HS256' }),
        jwk(one, { kid: 1 }),
        jwk(small, { kid: 'short' }),
        jwk(ec, { kid: 'curve not allowed' }),
        jwk(ecPair('secp256k1'), { kid: 'curve not known' }),
        { kty: 'oct', k: 'c2VjcmV0', kid: 'symmetric', alg: 'HS256' },
        { kty: 'RSA', kid: 'incomplete' },
        { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'not on the curve' },
        { ...one.privateKey.export({ format: 'jwk' }), kid: 'private' },
      ),
      ['RS256', 'PS256'],
    );
    expect(keys.map(({ kid, algorithms, key }) => [kid, algorithms, key.type])).to.deep.equal([
      ['good', ['RS256'], 'public'],
      ['private', ['RS256', 'PS256'], 'public'],
    ]);
  });
});

describe('auth-jwt: duplicate members', () => {
  it('finds none in what has none, whatever the values', () => {
    fc.assert(fc.property(fc.json(), (json) => !hasDuplicateMembers(JSON.stringify(JSON.parse(json)))));
    fc.assert(fc.property(fc.jsonValue(), (value) => !hasDuplicateMembers(JSON.stringify(value, null, 2))));
  });

  it('finds one wherever it is, however it is written', () => {
    const escaped = (name: string) =>
      `"${[...name].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
    const name = fc.string({ unit: 'grapheme-ascii', maxLength: 8 });
    fc.assert(
      fc.property(name, fc.jsonValue(), fc.jsonValue(), (key, one, two) => {
        const members = [
          `${JSON.stringify(key)} :${JSON.stringify(one)}`,
          `${escaped(key)}\n: ${JSON.stringify(two)}`,
        ];
        const object = `{${members.join(' , ')}}`;
        expect(hasDuplicateMembers(object)).to.equal(true);
        expect(hasDuplicateMembers(`{"outer":[1,"a:",{"x":"{"},${object}]}`)).to.equal(true);
      }),
    );
  });
});
