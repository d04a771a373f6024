import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Type } from 'typebox';
import {
  createGateway,
  definePlugin,
  type GatewayMiddleware,
  type GatewayPlugin,
  type Logger,
} from '../../core/index.js';
import accessLog from '../../plugins/access-log/index.js';
import { type PluginKit, runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import { startUpstream } from '../support/upstream.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    colour_of_test: string;
  }
}

/** Decides something, and says who calls. */
class Deciding implements GatewayPlugin {
  middleware(): GatewayMiddleware {
    return (ctx, next) => {
      ctx.gateway.decide('colour_of_test', ctx.get('x-colour'));
      ctx.gateway.consumer = { id: 'acme "inc"', authenticatedBy: 'deciding' };
      return next();
    };
  }
}
const deciding = definePlugin({
  name: 'deciding',
  summary: 'Decides.',
  options: Type.Object({}),
  plugin: Deciding,
});

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

async function accessLines({ logLines }: PluginKit, count: number): Promise<Record<string, unknown>[]> {
  const found = () => logLines.filter((line) => line.includes('"plugin":"access-log"'));
  await until(`${count} lines`, () => found().length >= count);
  return found().map(parse);
}

describe('access-log', () => {
  it('writes the requirements’ line for a proxied request', async () => {
    const kit = await runPlugin(accessLog);
    const response = await kit.agent.get('/api/v1/demo/echo?token=hidden').expect(200);
    const [line] = await accessLines(kit, 1);
    expect(line).to.include({
      level: 'INFO',
      logger: 'api-gateway',
      message: 'Request proxied successfully',
      service: 'demo',
      route: 'demo',
      method: 'GET',
      path: '/api/v1/demo/echo',
      status: 200,
      duration_ms: 0,
      request_id: response.headers['x-request-id'],
      target: kit.upstream.url,
      attempts: 1,
      client: '127.0.0.1',
    });
    expect(line)
      .to.have.property('timestamp')
      .that.matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(kit.logLines.join('')).not.to.contain('hidden');
  });

  it('writes a line with the error code for what matches no route', async () => {
    const kit = await runPlugin(accessLog);
    await kit.agent.get('/nowhere').expect(404);
    const [line] = await accessLines(kit, 1);
    expect(line).to.include({ code: 'ROUTE_NOT_FOUND', status: 404, message: 'Request failed' });
    expect(line).not.to.have.any.keys('service', 'route', 'target', 'attempts');
  });

  it('has the decisions, the consumer and the times of the way upstream', async () => {
    let ticked = () => {};
    const kit = await runPlugin(
      accessLog,
      {},
      {
        after: [{ definition: deciding }],
        upstream: (_req, res) => {
          ticked();
          res.end('x'.repeat(71));
        },
      },
    );
    kit.clock.tick(1000);
    ticked = () => kit.clock.tick(25);
    for (let i = 0; i < 2; i++) await kit.agent.get('/api/v1/demo/x').set('x-colour', 'red"\\').expect(200);
    const [first, line] = await accessLines(kit, 2);
    // A connection is opened for the first request, and used by the second.
    expect(first?.connect_ms).to.be.above(0);
    expect(line).to.include({
      connect_ms: 0,
      colour_of_test: 'red"\\',
      consumer: 'acme "inc"',
      queue_ms: 0,
      first_byte_ms: 25,
      duration_ms: 25,
      bytes: 71,
    });
  });

  it('calls the end of a client that went away by its name', async () => {
    const kit = await runPlugin(accessLog, {}, { upstream: () => {} });
    const socket = connect(kit.port, '127.0.0.1');
    socket.write('GET /api/v1/demo/slow HTTP/1.1\r\nHost: demo\r\n\r\n');
    await until('the request', () => kit.upstream.requests.length === 1);
    socket.destroy();
    const [line] = await accessLines(kit, 1);
    expect(line).to.include({ status: 499, code: 'CLIENT_CLOSED_REQUEST', message: 'Request failed' });
  });

  it('leaves out the client’s address where it is not wanted', async () => {
    const kit = await runPlugin(accessLog, { client: false });
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    const [line] = await accessLines(kit, 1);
    expect(line).not.to.have.property('client');
  });

  it('logs by status and time, and says which share was taken', async () => {
    const rules = [
      { status: '2xx', sample: 0 },
      { status: 404, sample: 0.999999999 },
    ];
    const kit = await runPlugin(
      accessLog,
      { rules, slow: '1s' },
      {
        upstream: (req, res) => {
          if (req.url === '/api/v1/slow') kit.clock.tick(1000);
          res.statusCode = req.url === '/api/v1/bad' ? 404 : 200;
          res.end();
        },
      },
    );
    await kit.agent.get('/api/v1/demo/good').expect(200);
    await kit.agent.get('/api/v1/demo/bad').expect(404);
    await kit.agent.get('/api/v1/demo/slow').expect(200);
    const lines = await accessLines(kit, 2);
    expect(lines.map(({ path, sample }) => [path, sample])).to.deep.equal([
      ['/api/v1/demo/bad', 0.999999999],
      ['/api/v1/demo/slow', undefined],
    ]);
  });

  it('takes other options, or none, on a route', async () => {
    const kit = await runPlugin(
      accessLog,
      { sample: 0 },
      {
        settings: {
          routes: [
            {
              id: 'loud',
              match: { path: '/loud' },
              service: 'demo',
              plugins: { 'access-log': { sample: 1 } },
            },
            { id: 'off', match: { path: '/off' }, service: 'demo', plugins: { 'access-log': false } },
          ],
        },
      },
    );
    await kit.agent.get('/off');
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    await kit.agent.get('/loud');
    const lines = await accessLines(kit, 1);
    expect(lines.map(({ route }) => route)).to.deep.equal(['loud']);
  });

  it('refuses a status that makes no sense', async () => {
    for (const status of ['abc', 99, '6xx', '500-', '>500']) {
      const failure = await runPlugin(accessLog, { rules: [{ status, sample: 1 }] }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure, String(status)).to.be.an('error');
    }
  });

  it('writes to another program’s logger by its own means', async () => {
    const lines: [Record<string, unknown>, string][] = [];
    const quiet = () => {};
    const logger: Logger = {
      debug: quiet,
      info: (fields, message) => lines.push([{ ...fields }, message]),
      warn: quiet,
      error: quiet,
      fatal: quiet,
      child: () => logger,
    };
    const upstream = await startUpstream();
    const gateway = createGateway(
      {
        host: '127.0.0.1',
        port: 0,
        services: { demo: { targets: [upstream.url], health: false } },
        plugins: ['access-log'],
      },
      { catalogue: { 'access-log': async () => ({ default: accessLog }) }, logger },
    );
    try {
      await gateway.start();
      await fetch(`http://127.0.0.1:${gateway.address().port}/api/v1/demo/echo`);
      await until('the line', () => lines.some(([fields]) => fields.status === 200));
      const [fields, message] = lines.find(([each]) => each.status === 200) ?? [];
      expect(message).to.equal('Request proxied successfully');
      expect(fields).to.include({ service: 'demo', attempts: 1 }).and.not.have.any.keys('level', 'timestamp');
    } finally {
      await gateway.stop();
      await upstream.close();
    }
  });

  describe('with a file', () => {
    let folder: string;
    let file: string;

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'access-log-'));
      file = join(folder, 'logs', 'access.log');
    });

    afterEach(() => rmSync(folder, { recursive: true }));

    const lines = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n').map(parse);

    it('appends every line by the time that the gateway has stopped, and none to the gateway’s log', async () => {
      const kit = await runPlugin(accessLog, { file });
      for (let i = 0; i < 20; i++) await kit.agent.get(`/api/v1/demo/echo/${i}`);
      await kit.gateway.stop();
      expect(lines(file).map(({ path }) => path)).to.deep.equal(
        Array.from({ length: 20 }, (_, i) => `/api/v1/demo/echo/${i}`),
      );
      expect(kit.logLines.join('')).not.to.contain('/api/v1/demo/echo/');
    });

    it('is opened again by a reload, without losing a line', async () => {
      const kit = await runPlugin(accessLog, { file });
      await kit.agent.get('/api/v1/demo/echo/1');
      kit.clock.tick(100);
      await until('the first line', () => readFileSync(file, 'utf8') !== '');
      renameSync(file, `${file}.1`);
      await kit.gateway.reload(kit.configuration({ file }));
      await kit.agent.get('/api/v1/demo/echo/2');
      await kit.gateway.stop();
      expect(lines(`${file}.1`).map(({ path }) => path)).to.deep.equal(['/api/v1/demo/echo/1']);
      expect(lines(file).map(({ path }) => path)).to.deep.equal(['/api/v1/demo/echo/2']);
    });

    it('refuses to start where the file cannot be written', async () => {
      const failure = await runPlugin(accessLog, { file: '/dev/null/access.log' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).to.be.an('error').with.property('code', 'ENOTDIR');
    });

    it('leaves no listener on the process', async () => {
      const before = [process.listenerCount('SIGHUP'), process.listenerCount('exit')];
      const kit = await runPlugin(accessLog, { file });
      await kit.agent.get('/api/v1/demo/echo');
      await kit.gateway.stop();
      await until('the end', () => process.listenerCount('exit') === before[1]);
      expect([process.listenerCount('SIGHUP'), process.listenerCount('exit')]).to.deep.equal(before);
    });
  });
});
