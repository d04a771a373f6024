import { expect } from 'chai';
import supertest from 'supertest';
import type { GatewayMiddleware, GatewayPlugin } from '../../core/index.js';
import trafficSplit from '../../plugins/traffic-split/index.js';
import { definition } from '../core/loader/support.js';
import { type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { startUpstream, type Upstream } from '../support/upstream.js';

const PATH = '/api/v1/orders/items';

/** Says who calls, as an authentication plugin would: by a header field of the test. */
const identify: GatewayMiddleware = (ctx, next) => {
  const id = ctx.get('x-test-consumer');
  if (id !== '') ctx.gateway.consumer = { id, authenticatedBy: 'test-authentication' };
  return next();
};
const authentication = { definition: definition('test-authentication', {}, { middleware: () => identify }) };

/** Keeps the decisions of the requests that are over. */
function decisions() {
  const made: (string | undefined)[] = [];
  const member: GatewayPlugin = { finished: ({ decisions: { split } }) => void made.push(split) };
  return { made, plugin: { definition: definition('test-decisions', {}, member) } };
}

describe('traffic-split', () => {
  let stable: Upstream;
  let canary: Upstream;

  beforeEach(async () => {
    stable = await startUpstream();
    canary = await startUpstream();
  });

  afterEach(async () => {
    await stable.close();
    await canary.close();
  });

  type Services = Record<string, Record<string, unknown>>;

  function kit(services: Services = {}, more: PluginKitOptions = {}): PluginKitOptions {
    const of = (url: string, name: string) => ({ targets: [url], health: false, ...services[name] });
    return {
      before: [authentication],
      ...more,
      settings: {
        services: { orders: of(stable.url, 'orders'), 'orders-canary': of(canary.url, 'orders-canary') },
        ...more.settings,
      },
    };
  }

  const to = (stableWeight: number, canaryWeight: number) => [
    { service: 'orders', weight: stableWeight },
    { service: 'orders-canary', weight: canaryWeight },
  ];

  it('leads requests to the service that has all the weight, and says so', async () => {
    const { made, plugin } = decisions();
    const { agent } = await runPlugin(trafficSplit, { to: to(0, 1) }, kit({}, { before: [plugin] }));
    await agent.get(`${PATH}?a=1`).expect(200).expect('X-Gateway-Service', 'orders-canary');
    expect(canary.requests.map(({ url }) => url)).to.deep.equal(['/api/v1/items?a=1']);
    expect(stable.requests).to.have.length(0);
    expect(made).to.deep.equal(['orders-canary']);
  });

  it('keeps each consumer at one service, and has both get some', async () => {
    const { agent, gateway, configuration } = await runPlugin(trafficSplit, { to: to(60, 40) }, kit());
    const serviceOf = async (consumer: string) => {
      const { headers } = await agent.get(PATH).set('x-test-consumer', consumer).expect(200);
      return String(headers['x-gateway-service']);
    };
    const consumers = Array.from({ length: 40 }, (_, index) => `consumer-${index}`);
    const first = await Promise.all(consumers.map(serviceOf));
    expect(new Set(first)).to.have.keys('orders', 'orders-canary');
    expect(await Promise.all(consumers.map(serviceOf))).to.deep.equal(first);

    // More weight moves consumers to the canary, and none away from it.
    await gateway.reload(configuration({ to: to(20, 80) }));
    const later = await Promise.all(consumers.map(serviceOf));
    const canaries = first.flatMap((service, index) => (service === 'orders-canary' ? [index] : []));
    for (const index of canaries) expect(later[index]).to.equal('orders-canary');
    expect(later.filter((service) => service === 'orders-canary').length).to.be.greaterThan(canaries.length);
  });

  for (const [sticky, field] of [
    ['header', (value: number) => ['X-Tenant', `tenant-${value}`]],
    ['cookie', (value: number) => ['Cookie', `a=b; X-Tenant=tenant-${value}`]],
    ['client-address', (value: number) => ['X-Forwarded-For', `192.0.2.${value}`]],
  ] as const) {
    it(`goes by the ${sticky} where it is told to`, async () => {
      const options = { to: to(50, 50), sticky, stickyKey: 'X-Tenant' };
      const settings = { trustedProxies: ['127.0.0.1'] };
      const { agent } = await runPlugin(trafficSplit, options, kit({}, { settings }));
      const seen = new Map<number, Set<unknown>>();
      for (let index = 0; index < 60; index++) {
        const value = index % 20;
        const [name = '', text = ''] = field(value);
        const { headers } = await agent.get(PATH).set(name, text).expect(200);
        seen.set(value, (seen.get(value) ?? new Set()).add(headers['x-gateway-service']));
      }
      for (const services of seen.values()) expect(services.size).to.equal(1);
      expect(new Set([...seen.values()].flatMap((services) => [...services])).size).to.equal(2);
    });
  }

  it('leaves each request to chance where nothing is sticky', async () => {
    const { agent } = await runPlugin(trafficSplit, { to: to(50, 50), sticky: 'none' }, kit());
    for (let index = 0; index < 60; index++) await agent.get(PATH).set('x-test-consumer', 'one').expect(200);
    // Once in 2^59 runs one of them gets nothing.
    expect(stable.requests.length * canary.requests.length).to.be.greaterThan(0);
  });

  it('lets a header field or a cookie choose, the first rule that fits', async () => {
    const force = [
      { header: 'X-Canary', value: 'always', service: 'orders-canary' },
      { header: 'X-Canary', value: 'never', service: 'orders' },
      { cookie: 'canary', value: '1', service: 'orders-canary' },
    ];
    const { agent } = await runPlugin(trafficSplit, { to: to(1, 0), force }, kit());
    const rows: [Record<string, string>, string][] = [
      [{}, 'orders'],
      [{ 'x-canary': 'always' }, 'orders-canary'],
      [{ 'x-canary': 'Always' }, 'orders'],
      [{ cookie: 'a=b; canary=1' }, 'orders-canary'],
      [{ cookie: 'canary=2' }, 'orders'],
      [{ 'x-canary': 'never', cookie: 'canary=1' }, 'orders'],
    ];
    for (const [fields, service] of rows) {
      await agent.get(PATH).set(fields).expect(200).expect('X-Gateway-Service', service);
    }
  });

  it('builds the upstream path with the base path of the service that it leads to', async () => {
    const services = { 'orders-canary': { basePath: '/v2' } };
    const { agent } = await runPlugin(trafficSplit, { to: to(0, 1) }, kit(services));
    await agent.get(`${PATH}/7?page=2`).expect(200);
    expect(canary.requests[0]?.url).to.equal('/v2/items/7?page=2');
  });

  it('leaves the path of a route of the configuration as it is', async () => {
    const routes = [{ id: 'o', match: { path: '/o/*' }, service: 'orders', rewrite: '/rewritten/*' }];
    const services = { 'orders-canary': { basePath: '/v2' } };
    const { agent } = await runPlugin(
      trafficSplit,
      { to: to(0, 1) },
      kit(services, { settings: { routes } }),
    );
    await agent.get('/o/7').expect(200);
    expect(canary.requests[0]?.url).to.equal('/rewritten/7');
  });

  describe('with a service whose targets are down', () => {
    const down = { health: { interval: '1s', fall: 1, timeout: '1s' } };
    let dead: string;

    beforeEach(async () => {
      const closed = await startUpstream();
      dead = closed.url;
      await closed.close();
    });

    async function withCanaryDown(options: object) {
      const services = { 'orders-canary': { ...down, targets: [dead] } };
      const running = await runPlugin(trafficSplit, options, kit(services));
      const gone = new Promise<void>((resolve) => {
        const service = running.gateway.services.get('orders-canary');
        const look = () => (service?.healthy === false ? resolve() : setImmediate(look));
        look();
      });
      running.clock.tick(2000);
      await gone;
      return running;
    }

    it('falls back to the others', async () => {
      const force = [{ header: 'x-canary', value: 'always', service: 'orders-canary' }];
      const { agent } = await withCanaryDown({ to: to(1, 99), force });
      for (let index = 0; index < 10; index++) {
        await agent.get(PATH).set('x-test-consumer', `c${index}`).expect(200);
      }
      await agent.get(PATH).set('x-canary', 'always').expect(200);
      expect(stable.requests).to.have.length(11);
    });

    it('answers with 503 where it is not to fall back, or no other is up', async () => {
      const strict = await withCanaryDown({ to: to(0, 1), fallback: false });
      await strict.agent.get(PATH).expect(503);
      const alone = await withCanaryDown({ to: [{ service: 'orders-canary' }] });
      await alone.agent.get(PATH).expect(503);
      expect(stable.requests).to.have.length(0);
    });
  });

  it('goes to the route’s own service once another was removed, and to that one again when it is back', async () => {
    const config = kit({ orders: { plugins: { 'traffic-split': { to: to(0, 1) } } } });
    const own: Record<string, unknown> = { ...config.settings };
    // The canary is registered at run time.
    const { orders } = own.services as Record<string, unknown>;
    const { gateway, agent, configuration, logLines } = await runPlugin(
      trafficSplit,
      {},
      { settings: { services: { orders: { targets: [stable.url], health: false } } } },
    );
    const admin = supertest(agent.get('/').url.replace(/\/$/, ''));
    const declaration = { service_name: 'orders-canary', targets: [canary.url], health: false };
    await admin.post('/api/v1/gateway/services').send(declaration).expect(201);
    await gateway.reload({ ...configuration({}), services: { orders } });
    await agent.get(PATH).expect(200).expect('X-Gateway-Service', 'orders-canary');
    await admin.delete('/api/v1/gateway/services/orders-canary').expect(204);
    await agent.get(PATH).expect(200).expect('X-Gateway-Service', 'orders');
    await admin.post('/api/v1/gateway/services').send(declaration).expect(201);
    await agent.get(PATH).expect(200).expect('X-Gateway-Service', 'orders-canary');
    expect(logLines.filter((line) => line.includes('"ERROR"'))).to.deep.equal([]);
  });

  it('refuses a service registered at run time that names an unknown one, with the place', async () => {
    const { agent } = await runPlugin(trafficSplit, {}, kit());
    const plugins = { 'traffic-split': { to: [{ service: 'orders-canry' }] } };
    const declaration = { service_name: 'more', targets: [canary.url], health: false, plugins };
    const { body } = await agent.post('/api/v1/gateway/services').send(declaration).expect(400);
    expect(JSON.stringify(body.details)).to.contain('to[0].service').and.to.contain('did you mean');
  });

  describe('does not start with', () => {
    const rows: [string, object, string[]][] = [
      [
        'a service that is not there',
        { to: [{ service: 'orders' }, { service: 'orders-canry' }] },
        [
          'route orders: to[1].service: found "orders-canry"',
          'orders, orders-canary',
          'did you mean "orders-canary"?',
        ],
      ],
      ['a service twice', { to: [...to(1, 1), { service: 'orders' }] }, ['to[2].service', 'again']],
      ['no weight at all', { to: to(0, 0) }, ['a weight of 0 for every service']],
      ['a cookie without a name', { to: to(1, 1), sticky: 'cookie' }, ['stickyKey', 'name of the cookie']],
      [
        'a rule for both or neither',
        {
          to: to(1, 1),
          force: [
            { value: '1', service: 'orders' },
            { header: 'a', cookie: 'a', value: '1', service: 'orders' },
          ],
        },
        ['force[0]: found neither header nor cookie', 'force[1]: found header and cookie'],
      ],
      [
        'a rule for another service',
        { to: to(1, 1), force: [{ header: 'a', value: '1', service: 'other' }] },
        ['force[0].service', 'orders, orders-canary'],
      ],
      [
        'too many services',
        { to: Array.from({ length: 31 }, (_, index) => ({ service: `s${index}` })) },
        ['to: found 31 services, expected at most 30'],
      ],
    ];
    for (const [what, options, texts] of rows) {
      it(what, async () => {
        const error = await runPlugin(trafficSplit, options, kit()).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        for (const text of texts) expect(String(error)).to.contain(text);
      });
    }
  });

  it('refuses a reload that names an unknown service, and goes on as before', async () => {
    const { agent, gateway, configuration } = await runPlugin(trafficSplit, { to: to(0, 1) }, kit());
    const refused = await gateway.reload(configuration({ to: [{ service: 'nobody' }] })).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(refused)).to.contain('to[0].service: found "nobody"');
    await agent.get(PATH).expect('X-Gateway-Service', 'orders-canary');
  });
});
