import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { hashPassword } from '../../core/secrets/password-hash.js';
import authJwt from '../../plugins/auth-jwt/index.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { fieldValues } from '../support/upstream.js';
import { hs256, NOW, SECRET } from './auth-jwt-tokens.js';

const PASSWORD = 'correct horse battery';
const CHEAP = { ln: 14, r: 8, p: 1 };
const LOGIN = '/api/v1/auth/login';
const REFRESH = '/api/v1/auth/refresh';
const LOGOUT = '/api/v1/auth/logout';
const ECHO = '/api/v1/demo/echo';

describe('auth-jwt: login', () => {
  let passwordHash: string;
  before(async () => {
    passwordHash = await hashPassword(PASSWORD, CHEAP);
  });

  const options = (more: object = {}) => ({
    secret: SECRET,
    users: [{ username: 'admin', passwordHash, scopes: ['read', 'write'], roles: ['admin'] }],
    ...more,
  });
  const run = (more: object = {}, kit: PluginKitOptions = {}) => runPlugin(authJwt, options(more), kit);
  const logIn = ({ agent }: PluginKit, password = PASSWORD, username = 'admin') =>
    agent.post(LOGIN).send({ username, password });
  const refresh = ({ agent }: PluginKit, token: string) => agent.post(REFRESH).send({ refresh_token: token });

  it('gives out tokens in the shape of the requirements, and accepts them', async () => {
    const kit = await run({ issuer: ['https://gateway.example'], audience: ['api'], algorithms: ['HS512'] });
    const { status, body, headers } = await logIn(kit);
    expect(status).to.equal(200);
    expect(Object.keys(body)).to.deep.equal(['access_token', 'token_type', 'expires_in', 'refresh_token']);
    expect(body).to.include({ token_type: 'bearer', expires_in: 3600 });
    expect(headers['cache-control']).to.equal('no-store');
    await kit.agent.get(ECHO).set('Authorization', `Bearer ${body.access_token}`).expect(200);
    const raw = kit.upstream.requests[0]?.rawHeaders ?? [];
    expect(fieldValues(raw, 'x-consumer-id')).to.deep.equal(['admin']);
    expect(fieldValues(raw, 'x-consumer-scopes')).to.deep.equal(['read write']);
    expect(fieldValues(raw, 'x-consumer-roles')).to.deep.equal(['admin']);
    kit.clock.tick(3_600_000);
    await kit.agent.get(ECHO).set('Authorization', `Bearer ${body.access_token}`).expect(401);
  });

  it('answers an unknown user just as a wrong password', async () => {
    const kit = await run();
    const answers = [];
    for (const [password, username] of [
      ['wrong', 'admin'],
      [PASSWORD, 'nobody'],
      [PASSWORD, '__proto__'],
      [PASSWORD, 'Admin'],
    ] as const) {
      const { status, headers, body } = await logIn(kit, password, username);
      answers.push({ status, error: body.error, code: body.code, challenge: headers['www-authenticate'] });
    }
    for (const answer of answers) {
      expect(answer).to.deep.equal({
        status: 401,
        error: 'The username or the password is wrong',
        code: 'UNAUTHORIZED',
        challenge: 'Bearer realm="gateway"',
      });
    }
  });

  it('refuses what is no login', async () => {
    const kit = await run();
    for (const body of [
      {},
      { username: 'admin' },
      { username: 'admin', password: 1 },
      { username: '', password: 'x' },
    ]) {
      await kit.agent.post(LOGIN).send(body).expect(400);
    }
    await kit.agent
      .post(LOGIN)
      .send({ username: ['admin'], password: PASSWORD })
      .expect(400);
    await kit.agent
      .post(LOGIN)
      .send({ username: 'admin', password: 'x'.repeat(1025) })
      .expect(400);
    await kit.agent.post(LOGIN).type('form').send({ username: 'admin', password: PASSWORD }).expect(415);
    await kit.agent.get(LOGIN).expect(405);
    await kit.agent.post(REFRESH).send({}).expect(400);
    await kit.agent.post(LOGOUT).send({ refresh_token: 7 }).expect(400);
  });

  it('has no endpoints without users', async () => {
    const { agent } = await runPlugin(authJwt, { secret: SECRET });
    for (const path of [LOGIN, REFRESH, LOGOUT]) await agent.post(path).send({}).expect(404);
  });

  it('takes users from a file too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'auth-jwt-users-'));
    const file = join(folder, 'users.yaml');
    await writeFile(file, `users:\n  - username: eve\n    passwordHash: ${passwordHash}\n`);
    const kit = await run({ usersFile: file });
    await logIn(kit, PASSWORD, 'eve').expect(200);
    await logIn(kit).expect(200);
    const faults: [string, string][] = [
      [`users: [{ username: admin, passwordHash: '${passwordHash}' }]`, "two users 'admin'"],
      ["users: [{ username: bob, passwordHash: 'plain-password' }]", 'gateway hash-password'],
      [
        `users: [{ username: bob, passwordHash: '${passwordHash.replace('ln=14', 'ln=4')}' }]`,
        'gateway hash-password',
      ],
      ['users: [{ name: bob }]', 'unknown key'],
      ['users: "', 'neither YAML nor JSON'],
    ];
    for (const [content, message] of faults) {
      await writeFile(file, content);
      const failure = await run({ usersFile: file }).catch((error: Error) => error.message);
      expect(failure).to.contain(message).and.not.to.contain('plain-password');
    }
    expect(await run({ usersFile: `${file}.none` }).catch((error: Error) => error.message)).to.contain(
      'ENOENT',
    );
    await rm(folder, { recursive: true });
    expect(await run({ secret: undefined }).catch((error: Error) => error.message)).to.contain('no key');
  });

  it('rotates refresh tokens, and ends the session when one is shown again', async () => {
    const kit = await run();
    const first: string = (await logIn(kit).expect(200)).body.refresh_token;
    const other: string = (await logIn(kit).expect(200)).body.refresh_token;
    const { body } = await refresh(kit, first).expect(200);
    expect(Object.keys(body)).to.deep.equal(['access_token', 'token_type', 'expires_in', 'refresh_token']);
    await kit.agent.get(ECHO).set('Authorization', `Bearer ${body.access_token}`).expect(200);
    const second: string = body.refresh_token;
    const third: string = (await refresh(kit, second).expect(200)).body.refresh_token;
    expect(new Set([first, second, third]).size).to.equal(3);
    await refresh(kit, first).expect(401);
    await refresh(kit, third).expect(401);
    await refresh(kit, other).expect(200);
    expect(kit.logLines.join('')).to.contain('shown a second time');
  });

  it('lets one of many refreshes at the same time through', async () => {
    const kit = await run();
    const token: string = (await logIn(kit).expect(200)).body.refresh_token;
    const answers = await Promise.all(Array.from({ length: 5 }, () => refresh(kit, token)));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 401, 401, 401, 401]);
    const next = answers.find(({ status }) => status === 200)?.body.refresh_token;
    await refresh(kit, next).expect(401);
  });

  it('refuses refresh tokens that are none', async () => {
    const kit = await run();
    const token: string = (await logIn(kit).expect(200)).body.refresh_token;
    for (const bad of [
      'x',
      hs256(),
      token.slice(0, -1),
      `${token}A`,
      `${'A'.repeat(22)}.${'A'.repeat(43)}`,
    ]) {
      await refresh(kit, bad).expect(401).expect('WWW-Authenticate', 'Bearer realm="gateway"');
    }
    await kit.agent.get(ECHO).set('Authorization', `Bearer ${token}`).expect(401);
    await refresh(kit, token).expect(200);
  });

  it('ends a session at logout, whatever is shown', async () => {
    const kit = await run();
    const first: string = (await logIn(kit).expect(200)).body.refresh_token;
    const second: string = (await refresh(kit, first).expect(200)).body.refresh_token;
    await kit.agent.post(LOGOUT).send({ refresh_token: second }).expect(204);
    await kit.agent.post(LOGOUT).send({ refresh_token: second }).expect(204);
    await kit.agent.post(LOGOUT).send({ refresh_token: 'nonsense' }).expect(204);
    await refresh(kit, second).expect(401);
  });

  it('ends sessions after their time, however often they were refreshed', async () => {
    const kit = await run({ refreshTokenTtl: '2h' });
    const first: string = (await logIn(kit).expect(200)).body.refresh_token;
    kit.clock.tick(3_600_000);
    const second: string = (await refresh(kit, first).expect(200)).body.refresh_token;
    kit.clock.tick(3_600_000);
    await refresh(kit, second).expect(401);
  });

  it('keeps sessions over a reload, but for users who are gone or have another password', async () => {
    const kit = await run();
    const first: string = (await logIn(kit).expect(200)).body.refresh_token;
    await kit.gateway.reload(kit.configuration(options({ realm: 'new' })));
    const second: string = (await refresh(kit, first).expect(200)).body.refresh_token;
    const changed = await hashPassword('another password', CHEAP);
    await kit.gateway.reload(
      kit.configuration({ secret: SECRET, users: [{ username: 'admin', passwordHash: changed }] }),
    );
    await refresh(kit, second).expect(401);
    const other: string = (await logIn(kit, 'another password').expect(200)).body.refresh_token;
    await kit.gateway.reload(
      kit.configuration({ secret: SECRET, users: [{ username: 'bob', passwordHash }] }),
    );
    await refresh(kit, other).expect(401);
  });

  it('throttles failures of a user and of an address, and forgets no failure at a reload', async () => {
    const loginThrottle = { perUser: 3, perAddress: 5, window: '60s' };
    const kit = await run({ loginThrottle });
    for (let i = 0; i < 3; i++) await logIn(kit, 'wrong').expect(401);
    await kit.gateway.reload(kit.configuration(options({ loginThrottle, realm: 'new' })));
    kit.clock.tick(1000);
    const response = await logIn(kit).expect(429);
    expect(response.body.code).to.equal('RATE_LIMITED');
    expect(response.headers['retry-after']).to.equal('59');
    for (let i = 0; i < 2; i++) await logIn(kit, 'wrong', `nobody-${i}`).expect(401);
    await logIn(kit, 'wrong', 'somebody').expect(429);
    kit.clock.tick(58_999);
    await logIn(kit).expect(429);
    kit.clock.tick(1);
    await logIn(kit).expect(200);
  });

  it('writes no password, hash or token to the log', async () => {
    const kit = await run();
    const { body } = await logIn(kit).expect(200);
    await logIn(kit, 'wrong-password-1').expect(401);
    await logIn(kit, 'x', 'typed-the-password-here').expect(401);
    const next = (await refresh(kit, body.refresh_token).expect(200)).body;
    await refresh(kit, body.refresh_token).expect(401);
    await kit.agent.get(ECHO).set('Authorization', `Bearer ${body.access_token}`).expect(200);
    const log = kit.logLines.join('\n');
    expect(log).to.contain('A user logged in').and.to.contain('A login failed');
    const secrets = [PASSWORD, 'wrong-password-1', 'typed-the-password-here', passwordHash, SECRET];
    for (const secret of [
      ...secrets,
      ...[body, next].flatMap((each) => [each.access_token, each.refresh_token]),
    ]) {
      expect(log).not.to.contain(secret);
    }
    const admin = await kit.agent.get('/api/v1/gateway/status');
    expect(admin.text).not.to.contain(SECRET).and.not.to.contain(passwordHash);
  });

  it('signs tokens whose times are those of the gateway', async () => {
    const kit = await run({ accessTokenTtl: '90s' });
    const { body } = await logIn(kit).expect(200);
    expect(body.expires_in).to.equal(90);
    const claims: unknown = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString());
    expect(claims).to.include({ sub: 'admin', iat: NOW, exp: NOW + 90, scope: 'read write' });
  });
});
