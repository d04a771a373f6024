import { expect } from 'chai';
import supertest from 'supertest';
import { Type } from 'typebox';
import { FakeClock } from '../../support/fake-clock.js';
import { type RawConfig, type RunningGateway, startGateway } from '../../support/gateway.js';
import { catalogueOf, definition } from '../loader/support.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const BASE = '/api/v1/gateway';

const secretive = definition('secretive', {
  version: '2.0.0',
  options: Type.Object({
    name: Type.String({ default: 'visible' }),
    marked: Type.Object({ secret: Type.Boolean() }, { secret: true, default: { secret: true } }),
    jwtSecret: Type.String({ default: 'hidden-1' }),
    keys: Type.Array(Type.String(), { default: ['hidden-2'] }),
    users: Type.Record(Type.String(), Type.String({ secret: true }), { default: { admin: 'hidden-3' } }),
    either: Type.Union([Type.Number(), Type.String({ secret: true })], { default: 'hidden-4' }),
    url: Type.String({ default: 'redis://user:hidden-5@localhost' }),
    ttl: Type.Number({ default: 5 }),
  }),
});
const limited = definition('limited', { options: Type.Object({ requests: Type.Integer({ default: 1 }) }) });

describe('the admin routes', () => {
  let running: RunningGateway | undefined;
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  async function agent(config: RawConfig = {}, options = {}) {
    running = await startGateway(
      {
        services: { declared: { targets: ['http://localhost:1', 'http://localhost:2'], health: false } },
        ...config,
      },
      { catalogue: catalogueOf(secretive, limited), ...options },
    );
    return supertest(running.url);
  }

  const registration = {
    service_name: 'my-service',
    host: 'localhost',
    port: 8090,
    health_endpoint: '/health',
  };

  it('status has the requirements’ shape', async () => {
    const clock = new FakeClock();
    const { body } = await (await agent({}, { clock })).get(`${BASE}/status`).expect(200);
    clock.tick(61_500);
    expect(body).to.deep.include({
      service: 'api-gateway',
      status: 'running',
      uptime: 0,
      config: {
        enable_auth: false,
        enable_rate_limiting: false,
        enable_circuit_breaker: false,
        cache_ttl: 0,
      },
      registered_services: 1,
      active_circuit_breakers: 0,
      cache_size: 0,
    });
    expect(body.version).to.match(/^\d+\.\d+\.\d+$/);
    expect(body.timestamp).to.match(TIME);
    const later = await supertest(running?.url ?? '').get(`${BASE}/status`);
    expect(later.body.uptime).to.equal(61);
  });

  it('services has the requirements’ shape', async () => {
    const response = await (await agent())
      .get(`${BASE}/services`)
      .expect(200)
      .expect('Cache-Control', 'no-store');
    expect(response.body.total).to.equal(1);
    expect(response.body.services.declared).to.deep.include({
      host: 'localhost',
      port: 1,
      base_url: 'http://localhost:1',
      healthy: true,
      last_health_check: null,
      origin: 'configuration',
    });
    expect(response.body.services.declared.targets).to.have.length(2);
  });

  describe('a registration', () => {
    it('is there at once, can be changed, and removed', async () => {
      const http = await agent();
      const created = await http.post(`${BASE}/services`).send(registration).expect(201);
      expect(created.headers.location).to.equal(`${BASE}/services/my-service`);
      expect(created.body).to.include({
        service_name: 'my-service',
        host: 'localhost',
        port: 8090,
        origin: 'runtime',
      });
      const { body } = await http.get(`${BASE}/services/my-service`).expect(200);
      expect(body).to.have.all.keys(Object.keys(created.body));
      await http.get('/api/v1/my-service/x').expect(503);
      const changed = await http
        .put(`${BASE}/services/my-service`)
        .send({ targets: ['http://localhost:8091'] });
      expect(changed.body).to.include({ base_url: 'http://localhost:8091' });
      await http.delete(`${BASE}/services/my-service`).expect(204, '');
      await http.get(`${BASE}/services/my-service`).expect(404);
      await http.get('/api/v1/my-service/x').expect(404);
    });

    it('tells all that is wrong, in the terms of the request', async () => {
      const http = await agent({ plugins: ['limited'] });
      const { body } = await http
        .post(`${BASE}/services`)
        .send({
          service_name: 'my-service',
          port: 'many',
          timeout: { conect: '1s' },
          plugins: { limitd: true },
        })
        .expect(400);
      expect(body.code).to.equal('BAD_REQUEST');
      expect(body.details.map(({ path }: { path: string }) => path)).to.have.members([
        'port',
        'timeout.conect',
        'plugins.limitd',
      ]);
      expect(body.details[0]).to.have.all.keys('path', 'found', 'expected');
      const override = { ...registration, plugins: { limited: { requests: 'x' } } };
      const second = await http.post(`${BASE}/services`).send(override).expect(400);
      expect(second.body.details[0].path).to.equal('plugins.limited.requests');
    });

    const WRONG: readonly [name: string, body: unknown, status: number, path: string | undefined][] = [
      ['without a name', { port: 0 }, 400, 'service_name'],
      ['with a name that is no text', { ...registration, service_name: 5 }, 400, 'service_name'],
      ['with an impossible name', { ...registration, service_name: 'My Service' }, 400, 'service_name'],
      ['that would shadow the gateway', { ...registration, service_name: 'gateway' }, 400, 'service_name'],
      ['that would shadow authentication', { ...registration, service_name: 'auth' }, 400, 'service_name'],
      ['of nothing', { service_name: 'empty' }, 400, 'targets'],
      ['that the configuration declares', { ...registration, service_name: 'declared' }, 409, undefined],
      ['of a list', [registration], 400, undefined],
      ['of null', null, 400, undefined],
    ];
    for (const [name, body, status, path] of WRONG) {
      it(`is refused ${name}`, async () => {
        const http = await agent();
        const response = await http
          .post(`${BASE}/services`)
          .set('Content-Type', 'application/json')
          .send(JSON.stringify(body))
          .expect(status);
        expect(response.body).to.include.keys('error', 'code', 'timestamp', 'request_id');
        if (path !== undefined) expect(response.body.details[0].path).to.equal(path);
        expect((await http.get(`${BASE}/services`)).body.total).to.equal(1);
      });
    }

    it('is refused without a name together with all else that is wrong', async () => {
      const { body } = await (await agent()).post(`${BASE}/services`).send({ port: 'many' }).expect(400);
      expect(body.details.map(({ path }: { path: string }) => path)).to.deep.equal(['service_name', 'port']);
    });

    it('is refused twice', async () => {
      const http = await agent();
      await http.post(`${BASE}/services`).send(registration).expect(201);
      const { body } = await http.post(`${BASE}/services`).send(registration).expect(409);
      expect(body.code).to.equal('CONFLICT');
    });

    it('is refused as anything but JSON', async () => {
      const http = await agent();
      await http.post(`${BASE}/services`).type('form').send('service_name=a').expect(415);
      await http.post(`${BASE}/services`).type('text/plain').send(JSON.stringify(registration)).expect(415);
      await http.post(`${BASE}/services`).expect(415);
      await http.post(`${BASE}/services`).type('json').send('{"service_name":').expect(400);
      await http
        .post(`${BASE}/services`)
        .type('application/json; charset=utf-8')
        .send(registration)
        .expect(201);
    });

    it('is refused when it is too large, with an answer that arrives', async () => {
      await agent();
      const response = await fetch(`${running?.url}${BASE}/services`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ service_name: 'x'.repeat(1_200_000) }),
      });
      expect(response.status).to.equal(413);
    });
  });

  it('changes neither what is unknown nor what the configuration declares', async () => {
    const http = await agent();
    const target = { targets: ['http://localhost:9'] };
    await http.get(`${BASE}/services/nobody`).expect(404);
    await http.put(`${BASE}/services/nobody`).send(target).expect(404);
    await http.delete(`${BASE}/services/nobody`).expect(404);
    await http.put(`${BASE}/services/declared`).send(target).expect(409);
    await http.delete(`${BASE}/services/declared`).expect(409);
    const other = await http
      .put(`${BASE}/services/declared`)
      .send({ ...target, service_name: 'x' })
      .expect(400);
    expect(other.body.details[0].path).to.equal('service_name');
  });

  it('answer 404 and 405 in the error format', async () => {
    const http = await agent();
    expect((await http.get(`${BASE}/nothing`).expect(404)).body.code).to.equal('NOT_FOUND');
    const { body, headers } = await http.patch(`${BASE}/services`).send({}).expect(405);
    expect(body.code).to.equal('METHOD_NOT_ALLOWED');
    expect(headers.allow?.split(', ')).to.have.members(['GET', 'HEAD', 'POST']);
    await http.head(`${BASE}/status`).expect(200);
  });

  it('list the routes with the plugins that they pass', async () => {
    const http = await agent({
      plugins: ['secretive', 'limited'],
      routes: [
        {
          id: 'own',
          match: { path: '/q/:x', methods: ['GET'] },
          service: 'declared',
          plugins: { limited: false },
        },
      ],
    });
    const { body } = await http.get(`${BASE}/routes`).expect(200);
    expect(body).to.deep.equal({
      routes: [
        { id: 'own', pattern: '/q/:x', methods: ['GET'], service: 'declared', plugins: ['secretive'] },
        {
          id: 'declared',
          pattern: '/api/v1/declared/**',
          methods: null,
          service: 'declared',
          plugins: ['secretive', 'limited'],
        },
      ],
      total: 2,
    });
  });

  it('list the plugins in order, with secrets masked', async () => {
    const http = await agent({ plugins: ['limited', { use: 'secretive', id: 'own' }] });
    const response = await http.get(`${BASE}/plugins`).expect(200);
    expect(response.text).not.to.contain('hidden');
    expect(
      response.body.plugins.map(({ id, version }: Record<string, string>) => [id, version]),
    ).to.deep.equal([
      ['limited', '1.0.0'],
      ['own', '2.0.0'],
    ]);
    expect(response.body.plugins[1].options).to.deep.equal({
      name: 'visible',
      marked: '***',
      jwtSecret: '***',
      keys: ['***'],
      users: { admin: '***' },
      either: '***',
      url: 'redis://***@localhost',
      ttl: 5,
    });
  });

  it('have a listener of their own where that is configured', async () => {
    const http = await agent({ admin: { port: 0 } });
    const own = supertest(`http://127.0.0.1:${running?.gateway.adminAddress()?.port}`);
    await http.get(`${BASE}/status`).expect(404);
    await own.get(`${BASE}/status`).expect(200);
    await http.get('/health').expect(200);
    await own.get('/health').expect(200);
    await own.get('/api/v1/declared/x').expect(404);
  });

  it('stay shut for whoever came by a proxy, and open for the token', async () => {
    const token = 'a-token-of-sufficient-length';
    const http = await agent({ admin: { token } });
    await http
      .get(`${BASE}/status`)
      .set('X-Forwarded-For', '192.0.2.1')
      .expect(401)
      .expect('WWW-Authenticate', /Bearer/);
    await http.get(`${BASE}/status`).set('Origin', 'http://evil.example').expect(403);
    await http
      .get(`${BASE}/status`)
      .set('X-Forwarded-For', '192.0.2.1')
      .set('Authorization', `Bearer ${token}`)
      .expect(200);
  });

  it('health is open to everybody', async () => {
    const http = await agent();
    const { body } = await http.get('/health').set('X-Forwarded-For', '192.0.2.1').expect(200);
    expect(body).to.deep.include({
      status: 'healthy',
      service: 'api-gateway',
      services: { healthy: 1, total: 1 },
    });
    expect(body.timestamp).to.match(TIME);
    await http.get('/health/live').expect(200, { status: 'alive' });
    await http.get('/health/ready').expect(200, { status: 'ready' });
    await http.post('/health').expect(405);
  });
});
