import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { hashPasswordCommand } from '../../core/cli/hash-password.js';
import { token } from '../../core/cli/token.js';
import { hashPassword, parsePasswordHash, verifyPassword } from '../../core/secrets/password-hash.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import { SECRET } from './auth-jwt-tokens.js';

describe('password hashes', () => {
  it('fit the password that they were made of, and no other', async () => {
    const text = await hashPassword('correct horse');
    expect(text).to.match(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    const hash = parsePasswordHash(text);
    if (hash === undefined) throw new Error('The hash was not understood');
    expect(await verifyPassword('correct horse', hash)).to.equal(true);
    expect(await verifyPassword('correct horsf', hash)).to.equal(false);
    expect(await verifyPassword('', hash)).to.equal(false);
    expect(await hashPassword('correct horse')).not.to.equal(text);
  });

  it('are refused when they are none, cheap to break, or dear to check', () => {
    const salt = 'A'.repeat(22);
    const digest = 'A'.repeat(43);
    expect(parsePasswordHash(`$scrypt$ln=14,r=8,p=1$${salt}$${digest}`)).not.to.equal(undefined);
    for (const text of [
      '',
      'password',
      `$scrypt$ln=13,r=8,p=1$${salt}$${digest}`,
      `$scrypt$ln=19,r=8,p=1$${salt}$${digest}`,
      `$scrypt$ln=18,r=16,p=1$${salt}$${digest}`,
      `$scrypt$ln=14,r=1,p=1$${salt}$${digest}`,
      `$scrypt$ln=14,r=8,p=0$${salt}$${digest}`,
      `$scrypt$ln=14,r=8,p=99$${salt}$${digest}`,
      `$scrypt$ln=14,r=8,p=1$${salt}$AAAAAAAA`,
      `$2b$10$${salt}${digest}`,
    ]) {
      expect(parsePasswordHash(text), text).to.equal(undefined);
    }
  });
});

describe('gateway hash-password', () => {
  async function run(typed: string, isTTY = false) {
    const input = Object.assign(new PassThrough(), { isTTY });
    const printed: string[] = [];
    const prompted: string[] = [];
    input.end(typed);
    const code = await hashPasswordCommand({
      input,
      prompt: (text) => prompted.push(text),
      print: (line) => printed.push(line),
    });
    return { code, printed, prompted };
  }

  it('prints the hash of the first line', async () => {
    const { code, printed, prompted } = await run('correct horse\nmore\n');
    expect([code, printed.length, prompted]).to.deep.equal([0, 1, []]);
    const hash = parsePasswordHash(printed[0] ?? '');
    expect(hash !== undefined && (await verifyPassword('correct horse', hash))).to.equal(true);
  });

  it('asks at a terminal, and echoes nothing', async () => {
    const { printed, prompted } = await run('correct horse\r', true);
    expect(prompted).to.deep.equal(['Password: ', '\n']);
    expect(printed.join('')).not.to.contain('horse');
  });

  it('refuses a password that is too short, or none', async () => {
    for (const typed of ['short\n', '']) {
      expect(await run(typed).catch((error: Error) => error.message)).to.contain('at least 8');
    }
  });
});

describe('gateway token', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gateway-token-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(plugins: object[], options: { ttl?: string } = {}) {
    const file = join(folder, 'gateway.json');
    await writeFile(file, JSON.stringify({ dataDirectory: folder, plugins }));
    const printed: string[] = [];
    const catalogue = { 'auth-jwt': async () => ({ default: authJwt }) };
    const context = { file, catalogue, print: (line: string) => printed.push(line) };
    const code = await token(context, { subject: 'tester', scopes: ['read'], roles: ['admin'], ...options });
    expect(code).to.equal(0);
    const claims: unknown = JSON.parse(Buffer.from(printed[0]?.split('.')[1] ?? '', 'base64url').toString());
    return claims;
  }

  it('prints a token of the configured secret', async () => {
    const claims = await run([{ 'auth-jwt': { secret: SECRET, issuer: ['me'] } }], { ttl: '15m' });
    expect(claims).to.include({ sub: 'tester', iss: 'me', scope: 'read' });
    if (typeof claims !== 'object' || claims === null || !('exp' in claims && 'iat' in claims))
      throw new Error();
    expect(Number(claims.exp) - Number(claims.iat)).to.equal(900);
  });

  it('says what is missing', async () => {
    const failure = (plugins: object[], options = {}) =>
      run(plugins, options).then(
        () => 'none',
        (error: Error) => error.message,
      );
    expect(await failure([])).to.contain('add auth-jwt with a secret');
    expect(await failure([{ 'auth-jwt': { secret: SECRET } }], { ttl: 'soon' })).to.contain('no duration');
    const jwks = [{ url: 'https://keys.example/jwks' }];
    expect(await failure([{ 'auth-jwt': { jwks } }])).to.contain('has no secret');
  });
});
