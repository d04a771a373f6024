import { expect } from 'chai';
import authJwt from '../../plugins/auth-jwt/index.js';
import { type PluginKit, runPlugin } from '../support/plugin-kit.js';
import { CLAIMS, ecPair, encode, hs256, NOW, rsaPair, SECRET, signature, signed } from './auth-jwt-tokens.js';

const rsa = rsaPair();
const pss = rsaPair();
const ec = ecPair();
const stranger = { rsa: rsaPair(), ec: ecPair() };

const OPTIONS = {
  secret: SECRET,
  publicKeys: [
    { kid: 'rsa-1', key: rsa.pem, algorithms: ['RS256'] },
    { kid: 'pss-1', key: pss.pem, algorithms: ['PS256'] },
    { kid: 'ec-1', key: ec.pem },
  ],
  issuer: ['https://issuer.example'],
  audience: ['api'],
};

const GOOD = { ...CLAIMS, iss: 'https://issuer.example', aud: 'api' };
const HS = { alg: 'HS256', typ: 'JWT' };
const RS = { alg: 'RS256', typ: 'JWT', kid: 'rsa-1' };
const ES = { alg: 'ES256', typ: 'JWT', kid: 'ec-1' };
const PS = { alg: 'PS256', typ: 'JWT', kid: 'pss-1' };

const claim = (changes: Readonly<Record<string, unknown>>) => hs256({ ...GOOD, ...changes });
const without = (name: string) =>
  hs256(Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name)));
const head = (changes: Readonly<Record<string, unknown>>) =>
  signed({ ...HS, ...changes }, GOOD, 'HS256', SECRET);
const unsigned = (alg: string) => `${encode({ alg, typ: 'JWT' })}.${encode(GOOD)}.`;
/** Claims as JSON text with something written before the closing brace. */
const text = (more: string) => `${JSON.stringify(GOOD).slice(0, -1)},${more}}`;
const parts = (token: string): [string, string, string] => {
  const [header = '', payload = '', last = ''] = token.split('.');
  return [header, payload, last];
};
const valid = hs256(GOOD);
const [header, payload, mac] = parts(valid);
const [esHeader, esPayload] = parts(signed(ES, GOOD, 'ES256', ec.privateKey));
const esSignature = signature(`${esHeader}.${esPayload}`, 'ES256', ec.privateKey);
const withEsSignature = (bytes: Buffer) => `${esHeader}.${esPayload}.${bytes.toString('base64url')}`;
const derSignature = () => {
  const integer = (bytes: Buffer) => {
    const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(2, padded.length), padded]);
  };
  const body = Buffer.concat([integer(esSignature.subarray(0, 32)), integer(esSignature.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
};
/** The last character with spare bits set that decode to nothing. */
const withSpareBits = (token: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') + 1];
};
const rsJwk = stranger.rsa.publicKey.export({ format: 'jwk' });

const FORGERIES: Readonly<Record<string, string>> = {
  'nothing behind Bearer': '',
  'one word': 'token',
  'two parts': `${header}.${payload}`,
  'four parts': `${valid}.${mac}`,
  'five parts, as an encrypted token has': 'a.b.c.d.e',
  'dots only': '..',
  'no JSON in the header': `${encode('no json')}.${payload}.${mac}`,
  'a list as the header': signed('["HS256"]', GOOD, 'HS256', SECRET),
  'null as the header': signed('null', GOOD, 'HS256', SECRET),
  'no algorithm': signed({ typ: 'JWT' }, GOOD, 'HS256', SECRET),
  'a number as the algorithm': head({ alg: 256 }),
  'a list as the algorithm': head({ alg: ['HS256'] }),
  'alg none': unsigned('none'),
  'alg None': unsigned('None'),
  'alg NONE': unsigned('NONE'),
  'alg nOnE': unsigned('nOnE'),
  'alg none with a signature': head({ alg: 'none' }),
  'an empty algorithm': head({ alg: '' }),
  'an algorithm in small letters': head({ alg: 'hs256' }),
  'an unknown algorithm': head({ alg: 'HS1' }),
  'HS384 where the secret is for HS256': signed({ alg: 'HS384' }, GOOD, 'HS384', SECRET),
  'HS512 where the secret is for HS256': signed({ alg: 'HS512' }, GOOD, 'HS512', SECRET),
  'an empty signature': `${header}.${payload}.`,
  'a stripped signature with RS256': `${encode(RS)}.${payload}.`,
  'another secret': hs256(GOOD, 'x'.repeat(48)),
  'an empty secret': hs256(GOOD, ''),
  'changed claims': `${header}.${encode({ ...GOOD, sub: 'admin' })}.${mac}`,
  'a changed header': `${encode({ ...HS, x: 1 })}.${payload}.${mac}`,
  'a cut signature': valid.slice(0, -4),
  'trailing bytes in the signature': `${valid}AAAA`,
  'spare bits in the signature': withSpareBits(valid),
  'spare bits in an RSA signature': withSpareBits(signed(RS, GOOD, 'RS256', rsa.privateKey)),
  'spare bits in an ECDSA signature': withSpareBits(withEsSignature(esSignature)),
  'spare bits in the claims': (() => {
    // A length that leaves bits over in the last letter.
    const filler = 'x'.repeat(4 - (text('"x":""').length % 3));
    const input = withSpareBits(`${header}.${encode(text(`"x":"${filler}"`))}`);
    return `${input}.${signature(input, 'HS256', SECRET).toString('base64url')}`;
  })(),
  'padding in the signature': `${valid}=`,
  'a line end in the signature': `${header}.${payload}.${mac.slice(0, 10)}%0A${mac.slice(10)}`,
  'base64 instead of base64url': `${header}.${payload}.${'+/'.repeat(21)}A`,
  'a space in the token': `${header}. ${payload}.${mac}`,
  'two tokens': `${valid},${valid}`,
  'the RSA key as HMAC secret': signed({ ...RS, alg: 'HS256' }, GOOD, 'HS256', rsa.pem),
  'the RSA key as HMAC secret, without kid': signed(HS, GOOD, 'HS256', rsa.pem),
  'the RSA key without line end as HMAC secret': signed(
    { ...RS, alg: 'HS256' },
    GOOD,
    'HS256',
    rsa.pem.trim(),
  ),
  'the RSA key in DER as HMAC secret': signed(
    { ...RS, alg: 'HS256' },
    GOOD,
    'HS256',
    rsa.publicKey.export({ type: 'spki', format: 'der' }),
  ),
  'the EC key as HMAC secret': signed({ ...ES, alg: 'HS256' }, GOOD, 'HS256', ec.pem),
  'PS256 with a key for RS256': signed({ ...RS, alg: 'PS256' }, GOOD, 'PS256', rsa.privateKey),
  'RS256 with a key for PS256': signed({ ...PS, alg: 'RS256' }, GOOD, 'RS256', pss.privateKey),
  'RS512 with a key for RS256': signed({ ...RS, alg: 'RS512' }, GOOD, 'RS512', rsa.privateKey),
  'the secret under the name of the RSA key': head({ kid: 'rsa-1' }),
  'an RSA key of a stranger': signed(RS, GOOD, 'RS256', stranger.rsa.privateKey),
  'an EC key of a stranger': signed(ES, GOOD, 'ES256', stranger.ec.privateKey),
  'the RSA key under the name of the EC key': signed({ ...RS, kid: 'ec-1' }, GOOD, 'RS256', rsa.privateKey),
  'RS256 without kid': signed({ alg: 'RS256' }, GOOD, 'RS256', rsa.privateKey),
  'an embedded jwk': signed({ alg: 'RS256', jwk: rsJwk }, GOOD, 'RS256', stranger.rsa.privateKey),
  'an embedded jwk with a known kid': signed({ ...RS, jwk: rsJwk }, GOOD, 'RS256', stranger.rsa.privateKey),
  'an embedded jwk and the right signature': head({ jwk: rsJwk }),
  'a jku': signed({ ...RS, jku: 'http://127.0.0.1/keys' }, GOOD, 'RS256', stranger.rsa.privateKey),
  'a jku and the right signature': head({ jku: 'https://issuer.example/keys' }),
  'an x5u': head({ x5u: 'https://issuer.example/cert' }),
  'a critical parameter': head({ crit: ['exp'] }),
  'an unencoded payload': head({ crit: ['b64'], b64: false }),
  'the type of a logout token': head({ typ: 'logout+jwt' }),
  'a path in kid': signed({ ...HS, kid: '../../../../dev/null' }, GOOD, 'HS256', ''),
  'a path in kid and the right signature': head({ kid: '../../../../dev/null' }),
  'SQL in kid': signed({ ...HS, kid: "x' UNION SELECT 'key' -- " }, GOOD, 'HS256', 'key'),
  'SQL in kid and the right signature': head({ kid: "x' UNION SELECT 'key' -- " }),
  'a command in kid': head({ kid: '|/bin/true' }),
  'a member of every object as kid': head({ kid: '__proto__' }),
  'constructor as kid': head({ kid: 'constructor' }),
  'an unknown kid': head({ kid: 'nobody' }),
  'an empty kid': head({ kid: '' }),
  'a number as kid': head({ kid: 1 }),
  'an object as kid': head({ kid: { toString: 'rsa-1' } }),
  'null as kid': head({ kid: null }),
  'an endless kid': head({ kid: 'k'.repeat(600) }),
  'an all-zero ECDSA signature': withEsSignature(Buffer.alloc(64)),
  'r of an ECDSA signature zero': withEsSignature(
    Buffer.concat([Buffer.alloc(32), esSignature.subarray(32)]),
  ),
  's of an ECDSA signature zero': withEsSignature(
    Buffer.concat([esSignature.subarray(0, 32), Buffer.alloc(32)]),
  ),
  'an ECDSA signature of the order of the curve': withEsSignature(
    Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'.repeat(2), 'hex'),
  ),
  'an ECDSA signature in DER': withEsSignature(derSignature()),
  'a short ECDSA signature': withEsSignature(esSignature.subarray(1)),
  'trailing bytes in an ECDSA signature': withEsSignature(Buffer.concat([esSignature, Buffer.alloc(2)])),
  'an expired token': claim({ exp: NOW - 1 }),
  'a token that expires now': claim({ exp: NOW }),
  'no exp': without('exp'),
  'exp as text': claim({ exp: String(NOW + 600) }),
  'exp null': claim({ exp: null }),
  'a negative exp': claim({ exp: -1 }),
  'a huge exp': claim({ exp: 1e300 }),
  'an infinite exp': hs256(text('"x":1').replace(/"exp":\d+/, '"exp":1e999')),
  'exp with too many digits': hs256(text('"x":1').replace(/"exp":\d+/, `"exp":${'9'.repeat(400)}`)),
  'exp in milliseconds': claim({ exp: (NOW + 600) * 1000 }),
  'not active yet': claim({ nbf: NOW + 1 }),
  'nbf as text': claim({ nbf: '0' }),
  'a huge nbf': claim({ nbf: 1e300 }),
  'issued in the future': claim({ iat: NOW + 60 }),
  'iat as text': claim({ iat: 'yesterday' }),
  'no sub': without('sub'),
  'an empty sub': claim({ sub: '' }),
  'a number as sub': claim({ sub: 1 }),
  'a list as sub': claim({ sub: ['alice'] }),
  'an endless sub': claim({ sub: 'a'.repeat(256) }),
  'half a character as sub': hs256(text('"x":1').replace('"alice"', '"\\ud800"')),
  'no iss': without('iss'),
  'another iss': claim({ iss: 'https://evil.example' }),
  'iss with more behind it': claim({ iss: 'https://issuer.example.evil.example' }),
  'a list as iss': claim({ iss: ['https://issuer.example'] }),
  'no aud': without('aud'),
  'another aud': claim({ aud: 'other' }),
  'other auds': claim({ aud: ['other', 'more'] }),
  'an object as aud': claim({ aud: { api: true } }),
  'numbers as aud': claim({ aud: ['api', 1] }),
  'a number as jti': claim({ jti: 7 }),
  'duplicate claims': hs256(text('"sub":"admin"')),
  'duplicate claims, one written with an escape': hs256(text('"\\u0073ub":"admin"')),
  'duplicate claims further down': hs256(text('"a":{"b":1,"b":2}')),
  'duplicate header parameters': signed('{"alg":"none","alg":"HS256"}', GOOD, 'HS256', SECRET),
  'a list as the claims': hs256(JSON.stringify([GOOD])),
  'a text as the claims': hs256('"alice"'),
  'null as the claims': hs256('null'),
  'no JSON as the claims': hs256('sub=alice'),
  'more behind the claims': hs256(`${JSON.stringify(GOOD)}{}`),
  'a byte order mark before the claims': hs256(`\uFEFF${JSON.stringify(GOOD)}`),
  'no UTF-8 in the claims': (() => {
    const bytes = Buffer.concat([
      Buffer.from(text('"x":"').slice(0, -1)),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ]);
    const input = `${header}.${bytes.toString('base64url')}`;
    return `${input}.${signature(input, 'HS256', SECRET).toString('base64url')}`;
  })(),
  'an endless token': claim({ x: 'x'.repeat(8000) }),
};

describe('auth-jwt: forged tokens', () => {
  let kit: PluginKit;
  beforeEach(async () => {
    kit = await runPlugin(authJwt, OPTIONS);
  });

  it('has more than 60 of them', () => {
    expect(Object.keys(FORGERIES).length).to.be.greaterThan(60);
  });

  it('would let each pass, were it not for what is wrong with it', async () => {
    const tokens = [
      valid,
      withEsSignature(esSignature),
      signed(RS, GOOD, 'RS256', rsa.privateKey),
      signed(PS, GOOD, 'PS256', pss.privateKey),
      claim({ aud: ['other', 'api'] }),
      claim({ exp: NOW + 1, nbf: NOW, iat: NOW }),
      head({ typ: 'at+jwt' }),
      hs256(text('"a":{"sub":1},"b":[{"sub":2},{"sub":2}],"c":"\\"sub\\":1"')),
    ];
    for (const token of tokens) {
      await kit.agent.get('/api/v1/demo/echo').set('Authorization', `Bearer ${token}`).expect(200);
    }
  });

  it('refuses each of them with 401, and nothing reaches the upstream', async () => {
    const wrong: string[] = [];
    for (const [name, token] of Object.entries(FORGERIES)) {
      const response = await kit.agent.get('/api/v1/demo/echo').set('Authorization', `Bearer ${token}`);
      const challenge = response.headers['www-authenticate'] ?? '';
      const refused =
        response.status === 401 &&
        response.body.code === 'UNAUTHORIZED' &&
        challenge.startsWith(
          'Bearer realm="gateway", error="invalid_token", error_description="The access token ',
        );
      if (!refused) wrong.push(`${name}: ${response.status} ${challenge}`);
    }
    expect(wrong).to.deep.equal([]);
    expect(kit.upstream.requests).to.have.length(0);
  });

  it('says nothing of tokens and secrets, in no response and no log line', async () => {
    let answers = '';
    for (const token of [valid, ...Object.values(FORGERIES)]) {
      const response = await kit.agent
        .get('/api/v1/demo/none-such')
        .set('Authorization', `Bearer ${token}`)
        .set('Accept', 'application/json');
      if (response.status === 401) answers += JSON.stringify([response.headers, response.text]);
    }
    const seen = answers + kit.logLines.join('\n');
    expect(kit.logLines.join('\n')).to.contain('A token was refused');
    for (const token of Object.values(FORGERIES)) {
      const tail = token.slice(-24);
      if (tail.length === 24) expect(seen).not.to.contain(tail);
    }
    expect(seen).not.to.contain(SECRET);
    expect(seen).not.to.contain(mac);
  });
});
