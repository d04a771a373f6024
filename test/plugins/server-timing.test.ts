import { expect } from 'chai';
import { Type } from 'typebox';
import { definePlugin, GatewayError, type GatewayMiddleware, type GatewayPlugin } from '../../core/index.js';
import serverTiming from '../../plugins/server-timing/index.js';
import { runPlugin } from '../support/plugin-kit.js';

/** Takes ten milliseconds, names the consumer and the cache's decision, and refuses where it is asked to. */
function helper(tick: () => void) {
  return definePlugin({
    name: 'helper',
    summary: 'For tests.',
    options: Type.Object({}),
    plugin: class implements GatewayPlugin {
      middleware(): GatewayMiddleware {
        return (ctx, next) => {
          tick();
          ctx.gateway.consumer = { id: ctx.get('x-consumer'), authenticatedBy: 'helper' };
          const cache = ctx.get('x-cache');
          if (cache !== '') Reflect.apply(ctx.gateway.decide, ctx.gateway, ['cache', cache]);
          if (ctx.get('x-refuse') !== '') throw new GatewayError('FORBIDDEN');
          return next();
        };
      }
    },
  });
}

async function run(options: object = {}, settings: object = {}) {
  let tick = (_ms: number) => {};
  const kit = await runPlugin(serverTiming, options, {
    settings: { trustedProxies: ['127.0.0.1'], ...settings },
    after: [{ definition: helper(() => tick(10)) }],
    upstream: (req, res) => {
      tick(25);
      if (req.url?.endsWith('/own')) res.setHeader('Server-Timing', 'db;dur=5');
      res.end('ok');
    },
  });
  tick = (ms) => kit.clock.tick(ms);
  const ask = async (path: string, fields: Record<string, string> = {}) => {
    const response = await kit.agent.get(`/api/v1/demo/${path}`).set(fields);
    return response.headers['server-timing'];
  };
  return { ask };
}

describe('server-timing', () => {
  it('tells the gateway’s time, the upstream’s, and what the cache decided', async () => {
    const { ask } = await run();
    expect(await ask('x')).to.equal('gateway;dur=10, upstream;dur=25');
    expect(await ask('x', { 'x-cache': 'MISS' })).to.equal(
      'gateway;dur=10, upstream;dur=25, cache;desc=MISS',
    );
  });

  it('adds to what the upstream tells', async () => {
    const { ask } = await run();
    expect(await ask('own'))
      .to.match(/db;dur=5/)
      .and.match(/gateway;dur=10, upstream;dur=25/);
  });

  it('is in errors too', async () => {
    const { ask } = await run();
    expect(await ask('x', { 'x-refuse': '1' })).to.equal('gateway;dur=10');
  });

  it('lets nothing but a word of the cache into the field', async () => {
    const { ask } = await run();
    expect(await ask('x', { 'x-cache': 'HIT, evil;desc=1' })).to.equal('gateway;dur=10, upstream;dur=25');
  });

  it('tells this machine only, by default', async () => {
    const { ask } = await run();
    expect(await ask('x', { 'x-forwarded-for': '192.0.2.1' })).to.equal(undefined);
  });

  it('tells the addresses and the consumers that may know', async () => {
    const { ask } = await run({ addresses: ['192.0.2.0/24'], consumers: ['ops'] });
    expect(await ask('x')).to.equal(undefined);
    expect(await ask('x', { 'x-forwarded-for': '192.0.2.77' })).to.be.a('string');
    expect(await ask('x', { 'x-forwarded-for': '198.51.100.1' })).to.equal(undefined);
    expect(await ask('x', { 'x-forwarded-for': '198.51.100.1', 'x-consumer': 'ops' })).to.be.a('string');
    expect(await ask('x', { 'x-forwarded-for': '198.51.100.1', 'x-consumer': 'other' })).to.equal(undefined);
    const nobody = await run({ addresses: [] });
    expect(await nobody.ask('x')).to.equal(undefined);
  });
});
