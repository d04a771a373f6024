import { request } from 'node:http';
import { expect } from 'chai';
import { Type } from 'typebox';
import {
  type AttemptWrapper,
  definePlugin,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
} from '../../core/index.js';
import accessLog from '../../plugins/access-log/index.js';
import tracing from '../../plugins/tracing/index.js';
import { type Collector, startCollector } from '../support/otlp-collector.js';
import { runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import { fieldValues, type Upstream } from '../support/upstream.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const SAMPLED = `00-${TRACE}-${SPAN}-01`;
const UNSAMPLED = `00-${TRACE}-${SPAN}-00`;

/** Refuses what asks for it. */
const refusing = definePlugin({
  name: 'refusing',
  summary: 'Refuses.',
  options: Type.Object({}),
  plugin: class implements GatewayPlugin {
    middleware(): GatewayMiddleware {
      return (ctx, next) => {
        if (ctx.get('x-refuse') !== '') throw new GatewayError('RATE_LIMITED');
        return next();
      };
    }
  },
});

/** What the upstream was told in the latest request. */
function told(upstream: Upstream, name: string): string[] {
  return fieldValues(upstream.requests.at(-1)?.rawHeaders ?? [], name);
}

describe('tracing', () => {
  let collector: Collector;

  beforeEach(async () => {
    collector = await startCollector();
  });

  afterEach(() => collector.close());

  const options = (more: object = {}) => ({ endpoint: collector.url, sample: 1, interval: '10ms', ...more });

  it('begins a trace, tells the upstream, and exports a span for the request and one for the attempt', async () => {
    const kit = await runPlugin(tracing, options({ attributes: { 'deployment.environment.name': 'test' } }));
    await kit.agent.get('/api/v1/demo/echo?token=hidden').set('user-agent', 'probe/1').expect(200);
    const spans = await collector.waitFor(2);
    const server = spans.find(({ kind }) => kind === 'server');
    const client = spans.find(({ kind }) => kind === 'client');
    expect(server).to.include({ name: 'GET /api/v1/demo/**', parentSpanId: '', failed: false });
    expect(client).to.include({
      name: 'GET',
      traceId: server?.traceId,
      parentSpanId: server?.spanId,
      failed: false,
    });
    expect(told(kit.upstream, 'traceparent')).to.deep.equal([`00-${client?.traceId}-${client?.spanId}-01`]);
    const { port } = new URL(kit.upstream.url);
    expect(server?.attributes).to.include({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/api/v1/demo/**',
      'url.scheme': 'http',
      'url.path': '/api/v1/demo/echo',
      'server.address': '127.0.0.1',
      'server.port': kit.port,
      'client.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'user_agent.original': 'probe/1',
      'gateway.service': 'demo',
      'gateway.attempts': 1,
    });
    expect(client?.attributes).to.include({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': Number(port),
      'url.full': `${kit.upstream.url}/api/v1/echo`,
    });
    expect(server?.resource).to.include({
      'service.name': 'api-gateway',
      'deployment.environment.name': 'test',
    });
    expect(server?.start).to.equal(kit.clock.now());
    expect(JSON.stringify(spans)).not.to.contain('hidden');
  });

  it('has no span for an attempt that a plugin refused before anybody was asked', async () => {
    const open = definePlugin({
      name: 'open',
      summary: 'Refuses attempts.',
      options: Type.Object({}),
      plugin: class implements GatewayPlugin {
        attempt(): AttemptWrapper {
          return () => Promise.reject(new GatewayError('SERVICE_UNAVAILABLE'));
        }
      },
    });
    const kit = await runPlugin(tracing, options(), { after: [{ definition: open }] });
    await kit.agent.get('/api/v1/demo/echo').expect(503);
    await kit.gateway.stop();
    const spans = await collector.waitFor(1);
    expect(spans.map(({ kind }) => kind)).to.deep.equal(['server']);
    expect(spans[0]?.attributes).to.include({ 'gateway.attempts': 0 });
  });

  it('begins a new trace for whom it does not trust, and lets nothing of theirs through', async () => {
    const kit = await runPlugin(tracing, options({ sample: 0 }));
    await kit.agent
      .get('/api/v1/demo/echo')
      .set('traceparent', SAMPLED)
      .set('tracestate', 'evil=1')
      .expect(200);
    const [parent] = told(kit.upstream, 'traceparent');
    expect(parent)
      .to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
      .and.not.contain(TRACE);
    expect(told(kit.upstream, 'tracestate')).to.deep.equal([]);
    await kit.gateway.stop();
    expect(collector.requests).to.deep.equal([]);
  });

  for (const [who, more, settings] of [
    ['a trusted proxy', {}, { trustedProxies: ['127.0.0.1'] }],
    ['everybody where that is asked for', { accept: 'all' }, {}],
  ] as const) {
    it(`takes up the trace of ${who}, and records it as its caller does`, async () => {
      const kit = await runPlugin(tracing, options({ sample: 0, ...more }), { settings });
      await kit.agent
        .get('/api/v1/demo/echo')
        .set('traceparent', SAMPLED)
        .set('tracestate', 'a=1,b=2')
        .expect(200);
      const spans = await collector.waitFor(2);
      const server = spans.find(({ kind }) => kind === 'server');
      expect(server).to.include({ traceId: TRACE, parentSpanId: SPAN, traceState: 'a=1,b=2' });
      const [client] = spans.filter(({ kind }) => kind === 'client');
      expect(told(kit.upstream, 'traceparent')).to.deep.equal([`00-${TRACE}-${client?.spanId}-01`]);
      expect(told(kit.upstream, 'tracestate')).to.deep.equal(['a=1,b=2']);
    });
  }

  it('does not record what its caller does not, whatever the share', async () => {
    const kit = await runPlugin(tracing, options({ accept: 'all' }));
    await kit.agent.get('/api/v1/demo/echo').set('traceparent', UNSAMPLED).expect(200);
    expect(told(kit.upstream, 'traceparent')[0]).to.match(
      new RegExp(`^00-${TRACE}-(?!${SPAN})[0-9a-f]{16}-00$`),
    );
    await kit.gateway.stop();
    expect(collector.requests).to.deep.equal([]);
  });

  it('begins a new trace where the fields are malformed or there are two', async () => {
    const kit = await runPlugin(tracing, options({ accept: 'all', sample: 0 }));
    const send = (fields: Record<string, string | string[]>) =>
      new Promise<void>((resolve, reject) => {
        request(`${kit.url}/api/v1/demo/echo`, { headers: fields }, (res) => {
          res.resume().on('end', resolve);
        })
          .on('error', reject)
          .end();
      });
    const rows = [
      { traceparent: `00-${TRACE}-${SPAN}-01-x`, tracestate: 'a=1' },
      { traceparent: [SAMPLED, SAMPLED], tracestate: 'a=1' },
      { tracestate: 'a=1' },
    ];
    for (const row of rows) {
      await send(row);
      expect(told(kit.upstream, 'traceparent')).to.have.length(1).and.not.match(new RegExp(TRACE));
      expect(told(kit.upstream, 'tracestate')).to.deep.equal([]);
    }
    await send({ traceparent: UNSAMPLED, tracestate: ['a=1', 'b=2'] });
    expect(told(kit.upstream, 'tracestate')).to.deep.equal(['a=1,b=2']);
    await send({ traceparent: UNSAMPLED, tracestate: 'a=1,,broken' });
    expect(told(kit.upstream, 'traceparent')[0]).to.contain(TRACE);
    expect(told(kit.upstream, 'tracestate')).to.deep.equal([]);
  });

  it('says what failed', async () => {
    const kit = await runPlugin(tracing, options(), {
      after: [{ definition: refusing }],
      upstream: (req, res) => {
        if (req.url === '/api/v1/broken') req.socket.destroy();
        else {
          res.statusCode = req.url === '/api/v1/missing' ? 404 : 500;
          res.end();
        }
      },
    });
    const spansOf = async (path: string, fields: Record<string, string> = {}) => {
      const before = collector.spans.length;
      const response = await kit.agent.get(path).set(fields);
      await until('the span', () => collector.spans.slice(before).some(({ kind }) => kind === 'server'));
      const spans = collector.spans.slice(before);
      return { response, server: spans.find(({ kind }) => kind === 'server'), spans };
    };
    const missing = await spansOf('/api/v1/demo/missing');
    expect(missing.server).to.include({ failed: false });
    expect(missing.spans.find(({ kind }) => kind === 'client')).to.include({ failed: true });
    const failed = await spansOf('/api/v1/demo/failed');
    expect(failed.server)
      .to.include({ failed: true })
      .and.nested.include({ 'attributes.error\\.type': '500' });
    expect(failed.response.headers).not.to.have.property('x-trace-id');
    const broken = await spansOf('/api/v1/demo/broken');
    expect(broken.server?.attributes).to.include({
      'error.type': 'BAD_GATEWAY',
      'http.response.status_code': 502,
    });
    expect(broken.response.headers['x-trace-id']).to.equal(broken.server?.traceId);
    const line = kit.logLines.find((each) => each.includes('A request failed at the upstream'));
    expect(JSON.parse(line ?? '{}')).to.include({ trace_id: broken.server?.traceId });
    const refused = await spansOf('/api/v1/demo/x', { 'x-refuse': '1' });
    expect(refused.spans).to.have.length(1);
    expect(refused.server)
      .to.include({ failed: false })
      .and.nested.include({ 'attributes.error\\.type': 'RATE_LIMITED' });
    expect(refused.response.headers['x-trace-id']).to.equal(refused.server?.traceId);
    const nowhere = await spansOf('/nowhere');
    expect(nowhere.server).to.include({ name: 'GET' });
    expect(nowhere.server?.attributes).to.include({
      'error.type': 'ROUTE_NOT_FOUND',
      'url.path': '/nowhere',
    });
    const health = await spansOf('/health');
    expect(health.server?.attributes).to.include({ 'http.response.status_code': 200 });
  });

  it('leaves out what the gateway answers itself where that is not wanted', async () => {
    const kit = await runPlugin(tracing, options({ endpoints: false }));
    await kit.agent.get('/health').expect(200);
    await kit.agent.get('/nowhere').expect(404);
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    await kit.gateway.stop();
    expect(collector.spans.map(({ name }) => name)).to.have.members(['GET', 'GET /api/v1/demo/**']);
  });

  it('keeps strangers’ methods out of names', async () => {
    const kit = await runPlugin(tracing, options());
    await new Promise((resolve, reject) => {
      request(`${kit.url}/api/v1/demo/echo`, { method: 'PROPFIND' }, (res) => res.resume().on('end', resolve))
        .on('error', reject)
        .end();
    });
    const spans = await collector.waitFor(2);
    expect(spans.map(({ name }) => name)).to.have.members(['HTTP', 'HTTP /api/v1/demo/**']);
    expect(spans[0]?.attributes).to.include({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PROPFIND',
    });
  });

  it('puts the ids into the access log, sampled or not', async () => {
    const kit = await runPlugin(tracing, options({ sample: 0 }), { after: [{ definition: accessLog }] });
    await kit.agent.get('/api/v1/demo/echo').expect(200);
    await kit.agent.get('/nowhere').expect(404);
    const lines = () => kit.logLines.filter((line) => line.includes('"plugin":"access-log"'));
    await until('the lines', () => lines().length === 2);
    const [, traceId, spanId] = /^00-(.*)-(.*)-00$/.exec(told(kit.upstream, 'traceparent')[0] ?? '') ?? [];
    expect(JSON.parse(lines()[0] ?? '')).to.include({ trace_id: traceId, span_id: spanId });
    expect(JSON.parse(lines()[1] ?? '')).to.have.keys(
      'level timestamp logger plugin request_id method path status duration_ms client code trace_id span_id message'.split(
        ' ',
      ),
    );
  });

  it('names the trace in every response, or in none, as it is told', async () => {
    const always = await runPlugin(tracing, options({ responseHeader: 'always' }));
    const response = await always.agent.get('/api/v1/demo/echo').expect(200);
    expect(told(always.upstream, 'traceparent')[0]).to.contain(response.headers['x-trace-id']);
    const never = await runPlugin(tracing, options({ responseHeader: 'never' }), {
      service: { targets: ['http://127.0.0.1:1'] },
    });
    const refused = await never.agent.get('/api/v1/demo/echo');
    expect(refused.status).to.be.within(502, 503);
    expect(refused.headers).not.to.have.property('x-trace-id');
  });

  it('takes another share, or nothing, on a route', async () => {
    const kit = await runPlugin(tracing, options({ sample: 0 }), {
      settings: {
        routes: [
          {
            id: 'all',
            match: { path: '/all' },
            service: 'demo',
            plugins: { tracing: { sample: 1, interval: '10ms' } },
          },
          { id: 'off', match: { path: '/off' }, service: 'demo', plugins: { tracing: false } },
        ],
      },
    });
    await kit.agent.get('/api/v1/demo/echo');
    await kit.agent.get('/off').set('traceparent', SAMPLED);
    expect(told(kit.upstream, 'traceparent')).to.deep.equal([SAMPLED]);
    await kit.agent.get('/all');
    await kit.gateway.stop();
    expect(collector.spans.filter(({ kind }) => kind === 'server').map(({ name }) => name)).to.deep.equal([
      'GET /all',
    ]);
  });
});
