import { expect } from 'chai';
import fc from 'fast-check';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import {
  CLOCK,
  type Clock,
  definePlugin,
  type GatewayMiddleware,
  type GatewayPlugin,
  KEPT_STATE,
  type KeptState,
  OPTIONS,
  PLUGIN_ID,
  type PluginStats,
} from '../../core/index.js';
import rateLimit from '../../plugins/rate-limit-token-bucket/index.js';
import { RateLimit, type RateLimitOptions } from '../../plugins/rate-limit-token-bucket/rate-limit.js';
import { runPlugin } from '../support/plugin-kit.js';

/** Believes whatever the client says. */
class Believer implements GatewayPlugin {
  middleware(): GatewayMiddleware {
    return (ctx, next) => {
      const {
        'x-test-consumer': id,
        'x-test-credential': credentialId,
        'x-test-requests': own,
      } = ctx.req.headers;
      if (typeof id === 'string') {
        ctx.gateway.consumer = {
          id,
          authenticatedBy: 'auth-apikey',
          ...(typeof credentialId === 'string' ? { credentialId } : {}),
          ...(typeof own === 'string' ? { rateLimit: { requests: Number(own), window: 60_000 } } : {}),
        };
      }
      return next();
    };
  }
}

/** Also shows in /status what it has for /stats. */
@injectable()
class Watched extends RateLimit {
  constructor(
    @inject(OPTIONS) options: RateLimitOptions,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) keptState: KeptState,
  ) {
    super(options, pluginId, clock, keptState);
  }

  override stats(): PluginStats {
    const stats = super.stats();
    return { ...stats, status: { forStats: stats.stats } };
  }
}

const believer = definePlugin({
  name: 'auth-apikey',
  summary: 'Believes whatever the client says.',
  options: Type.Object({}),
  plugin: Believer,
});

const PATH = '/api/v1/demo/echo';
const before = [{ definition: believer }];
const trusting = { settings: { trustedProxies: ['127.0.0.1'] } };

describe('rate-limit-token-bucket', () => {
  it('admits as many as the bucket holds, refuses the next, and admits again when it said so', async () => {
    const { agent, clock, upstream } = await runPlugin(rateLimit, { requests: 2, window: '60s' });
    const first = await agent.get(PATH).expect(200);
    expect(first.headers).to.include({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': '30',
      'ratelimit-policy': '"default";q=2;w=60',
      ratelimit: '"default";r=1;t=30',
    });
    expect(first.headers).not.to.have.property('retry-after');
    const second = await agent.get(PATH).expect(200);
    expect(second.headers).to.include({ 'x-ratelimit-remaining': '0', ratelimit: '"default";r=0;t=30' });
    const third = await agent.get(PATH).expect(429);
    expect(third.body).to.include({ code: 'RATE_LIMITED', error: 'Too many requests' });
    expect(third.headers).to.include({
      'retry-after': '30',
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '30',
      'ratelimit-policy': '"default";q=2;w=60',
      ratelimit: '"default";r=0;t=30',
    });
    expect(upstream.requests).to.have.length(2);
    clock.tick(14_600);
    await agent.get(PATH).expect(429).expect('Retry-After', '16').expect('RateLimit', '"default";r=0;t=16');
    clock.tick(15_399);
    await agent.get(PATH).expect(429).expect('Retry-After', '1');
    clock.tick(1);
    await agent.get(PATH).expect(200);
  });

  it('has the requirements’ defaults: 100 requests in 60 seconds', async () => {
    const { agent } = await runPlugin(rateLimit);
    await agent
      .get(PATH)
      .expect('X-RateLimit-Remaining', '99')
      .expect('RateLimit-Policy', '"default";q=100;w=60');
  });

  it('has a bucket for each address, behind a trusted proxy for the real one, and for each /64 of IPv6', async () => {
    const { agent } = await runPlugin(rateLimit, { requests: 1 }, trusting);
    const from = (address: string) => agent.get(PATH).set('X-Forwarded-For', address);
    await from('192.0.2.1').expect(200);
    await from('192.0.2.1').expect(429);
    await from('::ffff:192.0.2.1').expect(429);
    await from('192.0.2.2').expect(200);
    await from('2001:db8:0:1::1').expect(200);
    await from('2001:db8:0:1:ffff::2').expect(429);
    await from('2001:db8:0:2::1').expect(200);
  });

  it('does not let a client choose its bucket', async () => {
    const { agent } = await runPlugin(rateLimit, { requests: 1 });
    await agent.get(PATH).set('X-API-Key', 'a').set('X-Forwarded-For', '192.0.2.1').expect(200);
    await agent.get(PATH).set('X-API-Key', 'b').set('X-Forwarded-For', '192.0.2.2').expect(429);
  });

  it('has a bucket for each consumer, whatever the address', async () => {
    const { agent } = await runPlugin(rateLimit, { requests: 1 }, { before, ...trusting });
    const as = (consumer: string, address: string) =>
      agent.get(PATH).set('X-Test-Consumer', consumer).set('X-Forwarded-For', address);
    await as('shop', '192.0.2.1').expect(200);
    await as('shop', '192.0.2.2').expect(429);
    await as('bank', '192.0.2.1').expect(200);
    await agent.get(PATH).set('X-Forwarded-For', '192.0.2.1').expect(200);
  });

  it('gives a consumer its own limit, for each of its credentials', async () => {
    const { agent } = await runPlugin(rateLimit, { requests: 1 }, { before });
    const as = (credential: string) =>
      agent
        .get(PATH)
        .set({ 'X-Test-Consumer': 'shop', 'X-Test-Credential': credential, 'X-Test-Requests': '3' });
    for (const remaining of ['2', '1', '0']) {
      await as('one').expect(200).expect('X-RateLimit-Remaining', remaining);
    }
    await as('one').expect(429).expect('RateLimit-Policy', '"default";q=3;w=60');
    await as('two').expect(200);
  });

  it('asks several policies, tells of the strictest, and takes nothing for a refusal', async () => {
    const policies = [
      { name: 'minute', by: 'service', requests: 3, window: '1m' },
      { name: 'second', by: 'global', requests: 2, window: '1s' },
    ];
    const { agent, clock } = await runPlugin(rateLimit, { requests: 100, policies });
    const all = '"default";q=100;w=60, "minute";q=3;w=60, "second";q=2;w=1';
    await agent.get(PATH).expect('RateLimit-Policy', all).expect('RateLimit', '"second";r=1;t=1');
    await agent.get(PATH).expect('RateLimit', '"second";r=0;t=1');
    for (let i = 0; i < 5; i++) {
      await agent.get(PATH).expect(429).expect('RateLimit', '"second";r=0;t=1').expect('Retry-After', '1');
    }
    clock.tick(1000);
    // Had the refusals taken from it, `minute` would be empty.
    await agent.get(PATH).expect(200).expect('RateLimit', '"minute";r=0;t=19');
    await agent.get(PATH).expect(429).expect('RateLimit', '"minute";r=0;t=19').expect('Retry-After', '19');
  });

  it('counts only consumers where a policy is by consumer', async () => {
    const { agent } = await runPlugin(rateLimit, { requests: 1, by: 'consumer' }, { before });
    for (let i = 0; i < 3; i++) {
      const { headers } = await agent.get(PATH).expect(200);
      expect(headers).not.to.have.property('x-ratelimit-limit');
    }
    await agent.get(PATH).set('X-Test-Consumer', 'shop').expect(200);
    await agent.get(PATH).set('X-Test-Consumer', 'shop').expect(429);
  });

  it('takes more for a route that costs more, from the same bucket', async () => {
    const expensive = {
      id: 'search',
      match: { path: '/search' },
      service: 'demo',
      plugins: { 'rate-limit-token-bucket': { cost: 4 } },
    };
    const { agent } = await runPlugin(rateLimit, { requests: 6 }, { settings: { routes: [expensive] } });
    await agent.get('/search').expect(200).expect('X-RateLimit-Remaining', '2');
    await agent.get('/search').expect(429).expect('Retry-After', '20');
    await agent.get(PATH).expect(200).expect('X-RateLimit-Remaining', '1');
  });

  it('has buckets of its own for a service or a route with another limit', async () => {
    const route = (id: string, plugins: object) => ({
      id,
      match: { path: `/${id}` },
      service: 'demo',
      plugins,
    });
    const own = { 'rate-limit-token-bucket': { requests: 2 } };
    const routes = [route('one', own), route('two', own), route('three', {})];
    const { agent } = await runPlugin(rateLimit, { requests: 1 }, { settings: { routes } });
    await agent.get(PATH).expect(200);
    await agent.get('/three').expect(429);
    await agent.get('/one').expect(200).expect('X-RateLimit-Remaining', '1');
    await agent.get('/two').expect(200).expect('X-RateLimit-Remaining', '1');
  });

  it('exempts addresses, consumers and paths', async () => {
    const exemptions = {
      addresses: ['10.0.0.0/8', '2001:db8::/32'],
      consumers: ['monitor'],
      paths: ['/api/v1/demo/ping', '/api/v1/demo/public/*'],
    };
    const { agent } = await runPlugin(rateLimit, { requests: 1, exemptions }, { before, ...trusting });
    const from = (address: string, path = PATH) => agent.get(path).set('X-Forwarded-For', address);
    await from('192.0.2.1').expect(200);
    await from('192.0.2.1').expect(429);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8:5::1']) {
      for (let i = 0; i < 2; i++) {
        const { headers } = await from(address).expect(200);
        expect(headers).not.to.have.property('x-ratelimit-limit');
      }
    }
    await from('192.0.2.1').set('X-Test-Consumer', 'monitor').expect(200);
    await from('192.0.2.1').set('X-Test-Consumer', 'monitor').expect(200);
    await from('192.0.2.1', '/api/v1/demo/ping').expect(200);
    await from('192.0.2.1', '/api/v1/demo/public/a').expect(200);
    await from('192.0.2.1', '/api/v1/demo/ping/x').expect(429);
  });

  it('tells as much as it is asked to', async () => {
    const headers = { xRateLimit: false, rateLimit: false };
    const { agent } = await runPlugin(rateLimit, { requests: 1, headers });
    const admitted = await agent.get(PATH).expect(200);
    const refused = await agent.get(PATH).expect(429).expect('Retry-After', '60');
    for (const response of [admitted, refused]) {
      expect(Object.keys(response.headers).filter((name) => name.includes('ratelimit'))).to.deep.equal([]);
    }
  });

  it('keeps the buckets over a reload, and starts fresh ones for a changed limit', async () => {
    const { agent, gateway, configuration } = await runPlugin(rateLimit, { requests: 2 });
    await agent.get(PATH).expect(200);
    await agent.get(PATH).expect(200);
    await gateway.reload(configuration({ requests: 2, maxClients: 500 }));
    await agent.get(PATH).expect(429);
    await gateway.reload(configuration({ requests: 3 }));
    await agent.get(PATH).expect(200).expect('X-RateLimit-Remaining', '2');
    await gateway.reload(configuration({ requests: 2 }));
    await agent.get(PATH).expect(429);
  });

  it('reports to /status and /stats, over reloads', async () => {
    const { name, summary, options } = rateLimit;
    const definition = definePlugin({ name, summary, options, plugin: Watched });
    const { agent, gateway, configuration } = await runPlugin(definition, { requests: 1 });
    await agent.get(PATH).expect(200);
    await agent.get(PATH).expect(429);
    await gateway.reload(configuration({ requests: 1 }));
    await agent.get(PATH).expect(429);
    const { body } = await agent.get('/api/v1/gateway/status').expect(200);
    expect(body.config).to.include({ enable_rate_limiting: true });
    expect(body.forStats).to.deep.equal({ request_stats: { rate_limited_requests: 2 } });
  });

  it('does not start with options that contradict each other', async () => {
    const failure = async (options: object) => {
      const error = await runPlugin(rateLimit, options).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return error instanceof Error ? error.message : '';
    };
    expect(await failure({ requests: 0 })).to.contain('requests: found 0');
    expect(await failure({ burst: 2, cost: 3 })).to.contain(
      'cost: found 3, expected at most burst, which is 2',
    );
    expect(await failure({ policies: [{ name: 'default', requests: 1 }] })).to.contain('policies[0].name');
    expect(await failure({ policies: [{ name: 'a', requests: 1, by: 'servise' }] })).to.contain('"service"');
    expect(await failure({ exemptions: { addresses: ['10.0.0.0/99'] } })).to.contain(
      'exemptions.addresses[0]',
    );
  });

  it('never admits more than burst + rate × time, with reloads in between, and its fields always agree', async () => {
    const step = fc.record({ pause: fc.integer({ min: 0, max: 3000 }), reload: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const options = { requests: 4, window: '4s', burst: 3 };
        const { agent, clock, gateway, configuration } = await runPlugin(rateLimit, options);
        let admitted = 0;
        let elapsed = 0;
        for (const { pause, reload } of steps) {
          clock.tick(pause);
          elapsed += pause;
          if (reload === 0) await gateway.reload(configuration(options));
          const { status, headers } = await agent.get(PATH);
          const { 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset } = headers;
          expect(headers.ratelimit).to.equal(`"default";r=${remaining};t=${reset}`);
          expect(Number(reset)).to.be.at.least(1);
          if (status === 200) {
            admitted++;
            expect(headers).not.to.have.property('retry-after');
          } else {
            expect(status).to.equal(429);
            expect(headers['retry-after']).to.equal(reset);
            expect(remaining).to.equal('0');
          }
        }
        expect(admitted).to.be.at.most(3 + elapsed / 1000);
        await gateway.stop();
      }),
      { numRuns: 10 },
    );
  });
});
