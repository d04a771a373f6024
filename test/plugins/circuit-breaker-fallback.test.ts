import { expect } from 'chai';
import { Type } from 'typebox';
import { definePlugin, type GatewayContext, type GatewayPlugin, isGatewayError } from '../../core/index.js';
import { startUpstream } from '../support/upstream.js';
import { type BreakerKit, CIRCUIT, PATH, runBreaker } from './circuit-breaker/support.js';

async function opened(options: object, more: Parameters<typeof runBreaker>[1] = {}): Promise<BreakerKit> {
  const kit = await runBreaker(options, more);
  await kit.agent.post(`${CIRCUIT}/open`).expect(200);
  return kit;
}

describe('circuit-breaker: a fallback response', () => {
  it('answers while the circuit is open, and only then', async () => {
    const kit = await runBreaker({
      failureThreshold: 1,
      fallback: {
        response: {
          status: 203,
          headers: { 'X-Origin': 'fallback', 'Cache-Control': 'max-age=5' },
          body: { prices: [], stale: true },
        },
      },
    });
    await kit.agent.get(PATH).expect(200).expect('status 200');
    kit.answer = 500;
    await kit.agent.get(PATH).expect(500).expect('status 500');
    const response = await kit.agent.get(PATH).expect(203);
    expect(response.body).to.deep.equal({ prices: [], stale: true });
    expect(response.headers).to.include({
      'content-type': 'application/json; charset=utf-8',
      'x-origin': 'fallback',
      'cache-control': 'max-age=5',
    });
    expect(response.headers).not.to.have.property('retry-after');
    kit.clock.tick(60_000);
    kit.answer = 200;
    await kit.agent.get(PATH).expect(200);
  });

  it('is text as it is, not cached, and a 503 with Retry-After unless it says otherwise', async () => {
    const kit = await opened({ fallback: { response: { body: 'Back soon.' } } });
    const response = await kit.agent.post(PATH).send('x'.repeat(100_000)).expect(503).expect('Back soon.');
    expect(response.headers).to.include({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'retry-after': '60',
    });
    const head = await kit.agent.head(PATH).expect(503);
    expect(head.headers['content-length']).to.equal('10');
    expect(head.text).to.equal(undefined);
    expect(kit.upstream.requests.length).to.equal(0);
  });

  it('may be without a body, and have types and times of its own', async () => {
    const kit = await opened({
      fallback: {
        response: { headers: { 'content-type': 'text/html', 'retry-after': '7' }, body: '<p>Back soon' },
      },
    });
    const page = await kit.agent.get(PATH).expect(503).expect('Retry-After', '7').expect('<p>Back soon');
    expect(page.headers['content-type']).to.equal('text/html');
    await kit.gateway.reload(kit.configuration({ fallback: { response: { status: 204 } } }));
    const empty = await kit.agent.get(PATH).expect(204);
    expect(empty.headers).not.to.have.property('content-type');
    expect(empty.text).to.equal('');
  });

  it('is not for errors that are not the circuit’s', async () => {
    const gone = await startUpstream();
    await gone.close();
    const kit = await runBreaker(
      { fallback: { response: { status: 200 } } },
      { service: { targets: [gone.url], retries: { attempts: 1 } } },
    );
    expect(await kit.ask(6)).to.deep.equal([503, 503, 503, 503, 503, 200]);
  });

  it('comes after what plugins behind it make of the error, a cache with a stale answer for one', async () => {
    const stale = definePlugin({
      name: 'stale',
      summary: 'For tests.',
      options: Type.Object({}),
      plugin: class implements GatewayPlugin {
        middleware() {
          return async (ctx: GatewayContext, next: () => Promise<void>) => {
            try {
              await next();
            } catch (failure) {
              if (!isGatewayError(failure) || !ctx.query.stale) throw failure;
              ctx.status = 200;
              ctx.body = 'stale';
            }
          };
        }
      },
    });
    const kit = await opened(
      { fallback: { response: { body: 'fallback' } } },
      { after: [{ definition: stale }] },
    );
    await kit.agent.get(`${PATH}?stale=1`).expect(200).expect('stale');
    await kit.agent.get(PATH).expect(503).expect('fallback');
  });
});

describe('circuit-breaker: a fallback service', () => {
  /** With the services demo and other, and what else is given. */
  async function runTwo(options: object, other: object = {}) {
    const spare = await startUpstream((req, res) => {
      if (req.url?.includes('broken')) res.statusCode = 500;
      res.setHeader('cache-control', 'max-age=60');
      res.end(`spare ${req.url}`);
    });
    const kit = await opened(options, {
      settings: {
        services: {
          demo: { targets: ['http://127.0.0.1:1'], health: false, retries: { attempts: 1 } },
          other: { targets: [spare.url], health: false, basePath: '/v2', retries: { attempts: 1 }, ...other },
        },
      },
    });
    return { ...kit, spare };
  }

  it('is asked instead, under its own base path, and nobody keeps what it says as the service’s own', async () => {
    const { agent, spare } = await runTwo({ fallback: { service: 'other' } });
    const response = await agent.get(`${PATH}?a=1`).expect(200).expect('spare /v2/echo?a=1');
    expect(response.headers).to.include({ 'x-gateway-service': 'other', 'cache-control': 'no-store' });
    await agent.post(PATH).send('body').expect(200);
    expect(spare.requests[1]?.body.toString()).to.equal('body');
    const own = await agent.get('/api/v1/other/echo').expect(200);
    expect(own.headers['cache-control']).to.equal('max-age=60');
    await spare.close();
  });

  it('has a circuit of its own, and never leads on: services that are each other’s fallback make no loop', async () => {
    const { agent, spare } = await runTwo(
      { failureThreshold: 2, fallback: { service: 'other' } },
      { plugins: { 'circuit-breaker': { failureThreshold: 2, fallback: { service: 'demo' } } } },
    );
    await agent.get('/api/v1/demo/broken').expect(500);
    await agent.get('/api/v1/other/broken').expect(500);
    expect(spare.requests.length).to.equal(2);
    const refused = await agent.get(PATH).expect(503).expect('Retry-After', '60');
    expect(refused.body.code).to.equal('SERVICE_UNAVAILABLE');
    await agent.get('/api/v1/other/echo').expect(503);
    expect(spare.requests.length).to.equal(2);
    await spare.close();
  });

  it('gives way to the response where it cannot be asked either', async () => {
    const { agent, gateway, spare } = await runTwo({
      fallback: { service: 'other', response: { status: 200, body: 'last resort' } },
    });
    await agent.get(PATH).expect(200).expect('spare /v2/echo');
    await agent.post('/api/v1/gateway/circuits/other/open').expect(200);
    await agent.get(PATH).expect(200).expect('last resort');
    await agent.get('/api/v1/other/echo').expect(200).expect('last resort');
    await agent.post('/api/v1/gateway/circuits/other/reset').expect(200);
    const [target] = gateway.services.get('other')?.targets ?? [];
    if (target === undefined) throw new Error('The service has no target');
    target.healthy = false;
    await agent.get(PATH).expect(200).expect('last resort');
    await spare.close();
  });

  it('leaves probes alone: the service itself is asked again as soon as it may be', async () => {
    const spare = await startUpstream((_req, res) => res.end('spare'));
    const flapping = await startUpstream((req, res) => {
      res.statusCode = req.url?.includes('broken') ? 500 : 200;
      res.end('itself');
    });
    const kit = await runBreaker(
      { failureThreshold: 1, fallback: { service: 'other' } },
      {
        settings: {
          services: {
            demo: { targets: [flapping.url], health: false },
            other: { targets: [spare.url], health: false },
          },
        },
      },
    );
    await kit.agent.get('/api/v1/demo/broken').expect(500);
    await kit.agent.get(PATH).expect(200).expect('spare');
    kit.clock.tick(60_000);
    for (let i = 0; i < 4; i++) await kit.agent.get(PATH).expect(200).expect('itself');
    expect(await kit.state()).to.equal('CLOSED');
    await spare.close();
    await flapping.close();
  });

  it('is a mistake where there is no such service', async () => {
    const failure = await runBreaker({ fallback: { service: 'nobody' } }).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(failure).to.contain('fallback.service').and.to.contain('nobody');
  });

  it('is a mistake where neither it nor a response is given', async () => {
    const failure = await runBreaker({ fallback: {} }).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(failure).to.contain('fallback').and.to.contain('a service or a response');
  });
});
