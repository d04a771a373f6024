import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import { type DemoUpstreams, startDemoUpstreams } from '../../config/examples/demo/upstreams.js';
import { hashPassword } from '../../core/secrets/password-hash.js';
import { type GatewayCommand, startGatewayCommand } from '../support/gateway-command.js';

/*
 * The commands of the requirements for authentication, keys and limits as they stand there, in a shell, against
 * `gateway start` in a process of its own. Only localhost:8080 and the credentials are replaced.
 */

const run = promisify(execFile);
const SECRET = 'only for this test: 0123456789-0123456789-0123456789';

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: Record<string, unknown>;
}

/** Runs a command of the requirements, with the head of the response shown. */
async function answerOf({ port }: GatewayCommand, command: string): Promise<Answer> {
  const local = command.replaceAll('localhost:8080', `localhost:${port}`).replace('curl ', 'curl -s -i ');
  const { stdout } = await run('sh', ['-c', local]);
  const [headers = '', body = '{}'] = stdout.split('\r\n\r\n');
  return { status: Number(headers.split(' ')[1]), headers: headers.toLowerCase(), body: JSON.parse(body) };
}

const ask = (header: string) =>
  `curl -H "${header}" \\\n  http://localhost:8080/api/v1/market-data-collector/status`;
const post = (path: string, body: object) =>
  `curl -X POST http://localhost:8080${path} -H "Content-Type: application/json" -d '${JSON.stringify(body)}'`;

describe('the protection of the requirements', () => {
  let upstreams: DemoUpstreams;
  let directory: string;
  const running: GatewayCommand[] = [];

  /** A gateway with these flat keys, in front of the sample service. */
  async function startFlat(keys: string): Promise<GatewayCommand> {
    const { port } = new URL(upstreams.marketDataUrl);
    const file = join(directory, 'services.yaml');
    const service = `  services:\n    market-data-collector:\n      host: "127.0.0.1"\n      port: ${port}\n`;
    await writeFile(file, `api-gateway-service:\n${keys}${service}`);
    return started(await startGatewayCommand(['--config', file]));
  }

  function started(gateway: GatewayCommand): GatewayCommand {
    running.push(gateway);
    expect(gateway.port, gateway.stderr()).to.be.a('number');
    return gateway;
  }

  before(async () => {
    upstreams = await startDemoUpstreams({ marketData: 0, dataStorage: 0 });
    directory = await mkdtemp(join(tmpdir(), 'protection-'));
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
  });

  after(async () => {
    await upstreams.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('asks for a bearer token or an API key with enable_auth, and for neither without', async () => {
    const open = await startFlat('  enable_auth: false\n  jwt_secret: "your-secret-key"\n');
    expect((await answerOf(open, ask('Accept: */*'))).status).to.equal(200);

    const closed = await startFlat(
      `  enable_auth: true\n  jwt_secret: "${SECRET}"\n  jwt_algorithm: "HS256"\n`,
    );
    const refused = await answerOf(closed, ask('Accept: */*'));
    expect(refused.status).to.equal(401);
    expect(refused.body).to.have.all.keys('error', 'code', 'timestamp', 'request_id');
    const token = jwt.sign({ sub: 'alice' }, SECRET, { expiresIn: '5m' });
    expect((await answerOf(closed, ask(`Authorization: Bearer ${token}`))).status).to.equal(200);
    expect((await answerOf(closed, ask(`Authorization: Bearer ${token}x`))).status).to.equal(401);

    const created = await answerOf(
      closed,
      post('/api/v1/gateway/api-keys', { consumer: 'bob', name: 'a key for the test' }),
    );
    expect(created.status).to.equal(201);
    const { key } = created.body;
    expect((await answerOf(closed, ask(`X-API-Key: ${String(key)}`))).status).to.equal(200);
    expect((await answerOf(closed, ask(`X-API-Key: ${String(key)}x`))).status).to.equal(401);
  });

  it('refuses to start with the placeholder of the requirements for a secret', async () => {
    const file = join(directory, 'weak.yaml');
    await writeFile(
      file,
      'api-gateway-service:\n  enable_auth: true\n  jwt_secret: "your-strong-secret-key"\n',
    );
    const gateway = await startGatewayCommand(['--config', file]);
    expect(gateway.port).to.equal(undefined);
    expect(gateway.stderr()).to.include('randomBytes');
    expect(await gateway.stop()).to.not.equal(0);
  });

  it('logs a user in and refreshes the token', async () => {
    const file = join(directory, 'login.yaml');
    const users = [{ username: 'admin', passwordHash: await hashPassword('password') }];
    const services = { 'market-data-collector': upstreams.marketDataUrl };
    const plugins = [{ 'auth-jwt': { secret: SECRET, users } }];
    await writeFile(file, JSON.stringify({ port: 0, services, plugins }));
    const gateway = started(await startGatewayCommand(['--config', file]));
    const login = await answerOf(
      gateway,
      post('/api/v1/auth/login', { username: 'admin', password: 'password' }),
    );
    expect(login.status).to.equal(200);
    expect(login.body).to.include({ token_type: 'bearer', expires_in: 3600 });
    const { access_token: access, refresh_token: refresh } = login.body;
    expect((await answerOf(gateway, ask(`Authorization: Bearer ${String(access)}`))).status).to.equal(200);
    const refreshed = await answerOf(gateway, post('/api/v1/auth/refresh', { refresh_token: refresh }));
    expect(refreshed.status).to.equal(200);
    expect(refreshed.body).to.include({ token_type: 'bearer', expires_in: 3600 });
  });

  it('logs the users of a users_file in with enable_auth', async () => {
    const users = [{ username: 'admin', passwordHash: await hashPassword('password') }];
    await writeFile(join(directory, 'users.yaml'), JSON.stringify({ users }));
    const gateway = await startFlat(
      `  enable_auth: true\n  jwt_secret: "${SECRET}"\n  users_file: users.yaml\n`,
    );
    const login = await answerOf(
      gateway,
      post('/api/v1/auth/login', { username: 'admin', password: 'password' }),
    );
    expect(login.status).to.equal(200);
    const { access_token: access } = login.body;
    expect((await answerOf(gateway, ask(`Authorization: Bearer ${String(access)}`))).status).to.equal(200);
  });

  it('limits the rate, tells what is left, and can be switched off', async () => {
    const limits = '  rate_limit_requests: 2\n  rate_limit_window: 60\n';
    const gateway = await startFlat(`  enable_rate_limiting: true\n${limits}`);
    const first = await answerOf(gateway, ask('Accept: */*'));
    expect(first.status).to.equal(200);
    expect(first.headers).to.match(/x-ratelimit-remaining: 1\r?$/m);
    expect(first.headers).to.match(/x-gateway-service: market-data-collector\r?$/m);
    expect(first.headers).to.include('x-gateway-timestamp: ');
    await answerOf(gateway, ask('Accept: */*'));
    const third = await answerOf(gateway, ask('Accept: */*'));
    expect(third.status).to.equal(429);
    expect(third.body).to.have.all.keys('error', 'code', 'timestamp', 'request_id');
    expect(third.headers).to.match(/x-ratelimit-remaining: 0\r?$/m);
    expect(third.headers).to.match(/x-gateway-service: market-data-collector\r?$/m);
    expect(third.headers).to.include('x-gateway-timestamp: ');
    const stats = await answerOf(gateway, 'curl http://localhost:8080/api/v1/gateway/stats');
    expect(stats.body).to.have.nested.property('request_stats.rate_limited_requests', 1);

    const unlimited = await startFlat(`  enable_rate_limiting: false\n${limits}`);
    for (let i = 0; i < 4; i++) expect((await answerOf(unlimited, ask('Accept: */*'))).status).to.equal(200);
  });
});
