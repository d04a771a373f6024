import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  definePlugin,
  type GatewayMiddleware,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  PLUGIN_ID,
  SERVICES,
  type ServiceRegistry,
} from '../../core/index.js';
import headerTransform from '../../plugins/header-transform/index.js';
import trafficShadow from '../../plugins/traffic-shadow/index.js';
import { TrafficShadow } from '../../plugins/traffic-shadow/traffic-shadow.js';
import { definition } from '../core/loader/support.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { RawConnection } from '../support/raw-client.js';
import { until } from '../support/until.js';
import {
  fieldValues,
  type RecordedRequest,
  startUpstream,
  type Upstream,
  type UpstreamHandler,
} from '../support/upstream.js';

const PATH = '/api/v1/demo/echo';

/** The instances that were built, for a look at their metrics. */
const instances: TrafficShadow[] = [];

/** Draws 0, 0.1, 0.2 ... 0.9 in turn. */
@injectable()
class Observed extends TrafficShadow {
  constructor(
    @inject(SERVICES) services: ServiceRegistry,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) kept: KeptState,
  ) {
    let drawn = 0;
    super(services, pluginId, logger, clock, kept, () => (drawn++ % 10) / 10);
    instances.push(this);
  }
}

const observed = definePlugin({ ...trafficShadow, plugin: Observed });

/** The values of the newest instance's metrics, by name and reason. */
function metrics(): Record<string, number> {
  const all: Metric[] = [...(instances.at(-1)?.metrics() ?? [])];
  return Object.fromEntries(
    all.flatMap(({ name, series }) =>
      [...series].map(({ labels, value }) => {
        const short = name.replace('gateway_shadow_copies_', '').replace('_total', '');
        return [labels.reason === undefined ? short : `${short} ${labels.reason}`, value];
      }),
    ),
  );
}

const value = (request: RecordedRequest | undefined, name: string) =>
  fieldValues(request?.rawHeaders ?? [], name);

describe('traffic-shadow', () => {
  let real: Upstream;
  let shadow: Upstream;
  /** Answers the copies; replaced by tests. */
  let answer: UpstreamHandler;

  beforeEach(async () => {
    answer = (req, res) => {
      req.resume();
      res.writeHead(500, { 'x-from': 'shadow' });
      res.end('nobody reads this');
    };
    real = await startUpstream((req, res) => {
      req.on('end', () => res.end('real'));
      req.resume();
    });
    shadow = await startUpstream((req, res, recorded) => answer(req, res, recorded));
  });

  afterEach(async () => {
    await real.close();
    await shadow.close();
    instances.length = 0;
  });

  type Rest = PluginKitOptions & { readonly shadowed?: Record<string, unknown> };

  function run(options: object = {}, { shadowed, ...rest }: Rest = {}): Promise<PluginKit> {
    const services = {
      demo: { targets: [real.url], health: false, ...rest.service },
      shadow: { targets: [shadow.url], health: false, ...shadowed },
    };
    return runPlugin(
      observed,
      { service: 'shadow', ...options },
      { ...rest, settings: { ...rest.settings, services } },
    );
  }

  const copies = (count: number) => until(`${count} copies`, () => shadow.requests.length >= count);
  const idle = () => until('the copies to be over', () => metrics().active === 0);

  it('sends a copy with path, query, fields and a mark, and nobody sees the response to it', async () => {
    const { agent } = await run();
    const response = await agent.get(`${PATH}/a?b=%20c`).set('X-Tenant', 'one').expect(200, 'real');
    expect(response.headers).not.to.have.property('x-from');
    await copies(1);
    const [copy] = shadow.requests;
    const [original] = real.requests;
    expect(copy).to.include({ method: 'GET', url: '/api/v1/echo/a?b=%20c' });
    expect(value(copy, 'x-shadow-request')).to.deep.equal(['1']);
    expect(value(original, 'x-shadow-request')).to.deep.equal([]);
    expect(value(copy, 'x-tenant')).to.deep.equal(['one']);
    expect(value(copy, 'x-request-id')).to.deep.equal(value(original, 'x-request-id'));
    expect(value(copy, 'host')).to.deep.equal([`127.0.0.1:${shadow.port}`]);
    await idle();
    expect(metrics()).to.include({ sent: 1, failed: 0 });
  });

  it('keeps credentials to itself, unless it is told otherwise, and copies what plugins have set', async () => {
    const credentials = { Authorization: 'Bearer a.b.c', Cookie: 'session=1', 'X-Api-Key': 'k' };
    const sets = { request: { set: { 'x-set': 'by a plugin' } } };
    const before = [{ definition: headerTransform, options: sets }];
    const { agent, gateway, configuration } = await run({}, { before });
    await agent.get(PATH).set(credentials).expect(200);
    await copies(1);
    for (const name of Object.keys(credentials)) {
      expect(value(shadow.requests[0], name.toLowerCase()), name).to.deep.equal([]);
      expect(value(real.requests[0], name.toLowerCase()), name).to.have.length(1);
    }
    expect(value(shadow.requests[0], 'x-set')).to.deep.equal(['by a plugin']);

    const changed = configuration({ service: 'shadow', removeHeaders: ['X-API-Key'] });
    await gateway.reload(changed);
    await agent.get(PATH).set(credentials).expect(200);
    await copies(2);
    expect(value(shadow.requests[1], 'authorization')).to.deep.equal(['Bearer a.b.c']);
    expect(value(shadow.requests[1], 'cookie')).to.deep.equal(['session=1']);
    expect(value(shadow.requests[1], 'x-api-key')).to.deep.equal([]);
  });

  it('uses the base path and the host setting of the second service', async () => {
    const { agent } = await run({}, { shadowed: { basePath: '/next', preserveHost: true } });
    await agent.get(`${PATH}?a=1`).set('Host', 'shop.example').expect(200);
    await copies(1);
    expect(shadow.requests[0]?.url).to.equal('/next/echo?a=1');
    expect(value(shadow.requests[0], 'host')).to.deep.equal(['shop.example']);
    expect(real.requests[0]?.url).to.equal('/api/v1/echo?a=1');
  });

  it('copies the share that it is told to', async () => {
    const { agent } = await run({ percentage: 30 });
    for (let index = 0; index < 20; index++) await agent.get(PATH).expect(200);
    await idle();
    expect(metrics().sent).to.equal(6);
  });

  it('copies safe methods, and others only where it is told to', async () => {
    const { agent, gateway, configuration } = await run();
    await agent.post(PATH).send('a').expect(200);
    await agent.delete(PATH).expect(200);
    await agent.head(PATH).expect(200);
    await copies(1);
    expect(shadow.requests.map(({ method }) => method)).to.deep.equal(['HEAD']);

    await gateway.reload(configuration({ service: 'shadow', methods: ['POST'] }));
    await agent.get(PATH).expect(200);
    await agent.post(PATH).send('price=1').expect(200);
    await copies(2);
    await until('the body', () => shadow.requests[1]?.complete === true);
    expect(shadow.requests[1]).to.include({ method: 'POST', framing: 'length' });
    expect(shadow.requests[1]?.body.toString()).to.equal('price=1');
    expect(real.requests.at(-1)?.body.toString()).to.equal('price=1');
  });

  it('does not copy bodies that are too large or of unknown length, and passes them on', async () => {
    const { agent, port } = await run({ methods: ['POST'], maxBody: '8b' });
    await agent.post(PATH).type('text').send('12345678').expect(200);
    await agent.post(PATH).type('text').send('123456789').expect(200);
    const connection = await RawConnection.open(port);
    const head = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    connection.send(`${head}3\r\nabc\r\n0\r\n\r\n`);
    const { responses } = await connection.responses(1);
    connection.destroy();
    expect(responses[0]?.status).to.equal(200);
    await idle();
    expect(real.requests.map(({ body }) => body.toString())).to.deep.equal(['12345678', '123456789', 'abc']);
    expect(shadow.requests.map(({ body }) => body.toString())).to.deep.equal(['12345678']);
    expect(metrics()).to.include({ sent: 1, 'dropped body': 2 });
  });

  it('does not copy copies, so that two gateways cannot send them round for ever', async () => {
    const { agent } = await run();
    await agent.get(PATH).set('X-Shadow-Request', '1').expect(200);
    await idle();
    expect(metrics().sent).to.equal(0);
    expect(value(real.requests[0], 'x-shadow-request')).to.deep.equal(['1']);
  });

  it('is of no concern to the request when the second service hangs, breaks off or is away', async () => {
    const { agent, clock } = await run({ timeout: '2s' });
    answer = () => undefined;
    await agent.get(PATH).expect(200, 'real');
    await copies(1);
    expect(metrics()).to.include({ active: 1, failed: 0 });
    clock.tick(2000);
    await idle();
    expect(metrics()).to.include({ sent: 1, failed: 1 });
    await until('the connection to be broken off', () => shadow.requests[0]?.aborted === true);

    answer = (req) => void req.socket.resetAndDestroy();
    await agent.get(PATH).expect(200, 'real');
    await idle();
    expect(metrics()).to.include({ sent: 2, failed: 2 });

    await shadow.close();
    await agent.get(PATH).expect(200, 'real');
    await idle();
    expect(metrics()).to.include({ sent: 3, failed: 3 });
  });

  it('reads responses into nothing, and breaks one off that never ends, which is none that failed', async () => {
    let read = false;
    answer = (_req, res) => {
      // More than fits into the sockets on the way.
      const blocks = 512;
      let written = 0;
      const pump = () => {
        while (written < blocks) {
          written++;
          if (!res.write(Buffer.alloc(64 * 1024))) {
            res.once('drain', pump);
            return;
          }
        }
        read = true;
      };
      pump();
    };
    const { agent, clock } = await run({ timeout: '1s' });
    await agent.get(PATH).expect(200);
    await until('the response to be read', () => read);
    expect(metrics()).to.include({ active: 1 });
    clock.tick(1000);
    await until('the end', () => shadow.requests[0]?.aborted === true);
    expect(metrics()).to.include({ sent: 1, failed: 0, active: 0 });
  });

  it('sends no more copies than may be under way, and again when there is room', async () => {
    const held: (() => void)[] = [];
    answer = (_req, res) => void held.push(() => res.end());
    const { agent } = await run({ maxConcurrent: 2 });
    for (let index = 0; index < 5; index++) await agent.get(PATH).expect(200);
    await until('two copies', () => held.length === 2);
    expect(metrics()).to.include({ sent: 2, active: 2, 'dropped busy': 3 });
    for (const end of held) end();
    await idle();
    await agent.get(PATH).expect(200);
    await until('one more', () => held.length === 3);
    held[2]?.();
    await idle();
    expect(metrics()).to.include({ sent: 3, failed: 0 });
  });

  it('counts at the target while it is under way', async () => {
    let end = () => {};
    answer = (_req, res) => {
      end = () => void res.end();
    };
    const { agent, gateway } = await run();
    await agent.get(PATH).expect(200);
    await copies(1);
    const target = gateway.services.get('shadow')?.targets[0];
    expect(target?.active).to.equal(1);
    end();
    await idle();
    expect(target?.active).to.equal(0);
  });

  it('goes on with a copy whose client is gone', async () => {
    const started: (() => void)[] = [];
    answer = (_req, res) => void started.push(() => res.end());
    const waiting: UpstreamHandler = () => undefined;
    const slow = await startUpstream(waiting);
    try {
      const { url } = await run({}, { service: { targets: [slow.url] } });
      const client = httpRequest(`${url}${PATH}`);
      client.on('error', () => undefined);
      client.end();
      await copies(1);
      await until('the request itself', () => slow.requests.length === 1);
      client.destroy();
      await until('the request itself to be given up', () => slow.requests[0]?.aborted === true);
      expect(metrics()).to.include({ active: 1, failed: 0 });
      started[0]?.();
      await idle();
      expect(metrics()).to.include({ sent: 1, failed: 0 });
      expect(shadow.requests[0]?.aborted).to.equal(false);
    } finally {
      await slow.close();
    }
  });

  it('sends none for a client that is gone before its body has come', async () => {
    const { port } = await run({ methods: ['POST'] });
    const connection = await RawConnection.open(port);
    connection.send(`POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf`);
    connection.socket.end();
    await once(connection.socket, 'close');
    expect(shadow.requests).to.have.length(0);
    expect(metrics()).to.include({ sent: 0, active: 0 });
  });

  it('waits for copies when it is stopped, and breaks off those that take too long', async () => {
    const held: (() => void)[] = [];
    answer = (_req, res) => void held.push(() => res.end());
    const { agent, gateway, configuration, clock } = await run({ timeout: '1m' });
    await agent.get(PATH).expect(200);
    await agent.get(`${PATH}/second`).expect(200);
    await until('two copies', () => held.length === 2);
    const old = instances.at(-1);
    await gateway.reload(configuration({ service: 'shadow', percentage: 0 }));
    const active = () => [...(old?.metrics() ?? [])].at(-1)?.series ?? [];
    expect([...active()][0]?.value).to.equal(2);
    held[0]?.();
    await until('one to end', () => [...active()][0]?.value === 1);
    clock.tick(5000);
    expect([...active()][0]?.value).to.equal(0);
    await until('the other to be broken off', () => shadow.requests.some(({ aborted }) => aborted));
    // The counters outlive the reload.
    expect(metrics()).to.include({ sent: 2, failed: 1 });
  });

  it('sends none to a service that was removed, or has no healthy target', async () => {
    const { agent, gateway, configuration } = await run(
      {},
      { shadowed: { targets: [{ url: shadow.url, weight: 1 }] } },
    );
    const target = gateway.services.get('shadow')?.targets[0];
    if (target === undefined) throw new Error('There is no such target');
    target.healthy = false;
    gateway.services.get('shadow')?.refresh();
    await agent.get(PATH).expect(200);
    expect(metrics()).to.include({ sent: 0, 'dropped unavailable': 1 });
    target.healthy = true;
    gateway.services.get('shadow')?.refresh();

    const own = { targets: [real.url], health: false, plugins: { 'traffic-shadow': { service: 'later' } } };
    const declaration = { service_name: 'later', targets: [shadow.url], health: false };
    await agent.post('/api/v1/gateway/services').send(declaration).expect(201);
    await gateway.reload({ ...configuration({}), services: { demo: own } });
    await agent.get(PATH).expect(200);
    await copies(1);
    await agent.delete('/api/v1/gateway/services/later').expect(204);
    await agent.get(PATH).expect(200);
    await idle();
    expect(metrics()).to.include({ sent: 1, 'dropped unavailable': 2 });
  });

  it('leaves the routes of the second service itself alone, and those without one', async () => {
    const { agent } = await run();
    await agent.get('/api/v1/shadow/echo').expect(500);
    await idle();
    expect(metrics().sent).to.equal(0);
    const { agent: other } = await run({ service: undefined });
    await other.get(PATH).expect(200);
    expect(metrics().sent).to.equal(0);
  });

  it('copies what later plugins make of the request as well', async () => {
    const edit: GatewayMiddleware = (ctx, next) => {
      ctx.gateway.setUpstreamHeader('x-late', 'yes');
      return next();
    };
    const after = [{ definition: definition('test-late', {}, { middleware: () => edit }) }];
    const { agent } = await run({}, { after });
    await agent.get(PATH).expect(200);
    await copies(1);
    expect(value(shadow.requests[0], 'x-late')).to.deep.equal(['yes']);
  });

  it('does not start with a service that is not there', async () => {
    const error = await run({ service: 'shadw' }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error))
      .to.contain('route demo: service: found "shadw"')
      .and.to.contain('did you mean "shadow"?');
  });
});
