import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import authJwt from '../../plugins/auth-jwt/index.js';
import wsProxy from '../../plugins/ws-proxy/index.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { until } from '../support/until.js';
import {
  type Client,
  openClient,
  refused,
  silent,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from './ws-proxy/sockets.js';

const MODES = ['managed', 'tunnel'] as const;
const SECRET = 'a-secret-of-32-bytes-for-this-test-only';

describe('ws-proxy', () => {
  let upstream: WebSocketUpstream;
  let clients: Client[];

  beforeEach(async () => {
    upstream = await startWebSocketUpstream(silent);
    clients = [];
  });

  afterEach(async () => {
    for (const { socket } of clients) socket.terminate();
    await upstream.close();
  });

  function start(options: object = {}, kit: PluginKitOptions = {}): Promise<PluginKit> {
    const services = {
      demo: { targets: [upstream.url], health: false },
      other: { targets: [upstream.url], health: false },
    };
    return runPlugin(wsProxy, options, { ...kit, settings: { services, ...kit.settings } });
  }

  async function open({ url }: PluginKit, service = 'demo', protocols: string[] = []): Promise<Client> {
    const client = await openClient(`${url}/ws/${service}/live`, protocols);
    clients.push(client);
    return client;
  }

  const openConnections = async ({ agent }: PluginKit): Promise<number> =>
    (await agent.get('/api/v1/gateway/websockets')).body.total;

  for (const mode of MODES) {
    describe(mode, () => {
      it('limits connections of a client, of a service, and in all', async () => {
        const kit = await start({ mode, connections: { perClient: 3, perService: 2, total: 3 } });
        await open(kit);
        await open(kit);
        const service = await refused(`${kit.url}/ws/demo/live`);
        expect(service.status).to.equal(503);
        expect(service.headers['retry-after']).to.equal('5');
        const third = await open(kit, 'other');
        expect((await refused(`${kit.url}/ws/other/live`)).status).to.equal(429);
        third.socket.terminate();
        await until('its end', async () => (await openConnections(kit)) === 2);
        await open(kit, 'other');
        const all = await start({ mode, connections: { total: 1 } });
        await open(all);
        expect((await refused(`${all.url}/ws/other/live`)).status).to.equal(503);
      });

      it('a refused handshake takes no place', async () => {
        const kit = await start(
          { mode, connections: { total: 1 } },
          { settings: { services: { demo: { targets: ['http://127.0.0.1:1'], health: false } } } },
        );
        for (let i = 0; i < 3; i++) {
          const { body } = await refused(`${kit.url}/ws/demo/live`);
          expect(JSON.parse(body).error).to.equal('Service temporarily unavailable');
        }
      });

      it('closes a connection on which nothing goes for too long', async () => {
        const kit = await start({ mode, idleTimeout: '60s', heartbeat: { interval: 0 } });
        const { socket, seen } = await open(kit);
        for (let i = 0; i < 3; i++) {
          kit.clock.tick(58_000);
          const before = upstream.accepted[0]?.seen.texts.length ?? 0;
          socket.send('busy');
          await until('the message', () => upstream.accepted[0]?.seen.texts.length === before + 1);
          kit.clock.tick(1000);
        }
        expect(seen.close).to.equal(undefined);
        kit.clock.tick(61_000);
        expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
        await upstream.accepted[0]?.seen.closed();
      });

      it('closes a connection at its maximum age, and when its token expires', async () => {
        const kit = await start({ mode, maxLifetime: '1h', idleTimeout: 0, heartbeat: { interval: 0 } });
        const { seen } = await open(kit);
        kit.clock.tick(3_599_000);
        expect(await openConnections(kit)).to.equal(1);
        kit.clock.tick(1000);
        expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);

        const guarded = await start(
          { mode },
          { before: [{ definition: authJwt, options: { secret: SECRET, query: 'token' } }] },
        );
        const now = guarded.clock.now() / 1000;
        const token = jwt.sign({ sub: 'alice', iat: now, exp: now + 5 }, SECRET);
        const client = await openClient(`${guarded.url}/ws/demo/live?token=${token}`);
        clients.push(client);
        guarded.clock.tick(4000);
        expect(await openConnections(guarded)).to.equal(1);
        guarded.clock.tick(1000);
        const { code, reason } = await client.seen.closed();
        if (mode === 'managed')
          expect({ code, reason }).to.deep.equal({ code: 1008, reason: 'The credential has expired' });
        await until('its end', async () => (await openConnections(guarded)) === 0);
      });

      it('checks the origin of pages, and lets callers pass that send none', async () => {
        const kit = await start({ mode, origins: ['https://app.example.com', 'https://*.example.org'] });
        const from = (origin: string) =>
          refused(`${kit.url}/ws/demo/live`, [], { headers: { Origin: origin } });
        for (const origin of [
          'https://evil.example',
          'http://app.example.com',
          'https://example.org',
          'null',
        ]) {
          const { status, body } = await from(origin);
          expect(status, origin).to.equal(403);
          expect(JSON.parse(body)).to.include({ code: 'FORBIDDEN', error: 'The origin is not allowed' });
        }
        for (const origin of ['https://app.example.com', 'https://a.b.example.org']) {
          clients.push(await openClient(`${kit.url}/ws/demo/live`, [], { headers: { Origin: origin } }));
        }
        await open(kit);
        expect(upstream.accepted).to.have.length(3);
      });

      it('answers 504 when the service takes too long to agree', async () => {
        upstream.server.removeAllListeners('upgrade');
        let asked = 0;
        upstream.server.on('upgrade', () => {
          asked++;
        });
        const kit = await start({ mode, handshakeTimeout: '3s' });
        const answer = refused(`${kit.url}/ws/demo/live`);
        await until('the question', () => asked === 1);
        kit.clock.tick(3000);
        expect((await answer).status).to.equal(504);
        expect(kit.gateway.services.get('demo')?.targets[0]?.active).to.equal(0);
      });

      it('lists, counts and closes connections for administrators', async () => {
        const kit = await start({ mode });
        const { agent } = kit;
        const first = await open(kit, 'demo', ['v1']);
        await open(kit, 'demo');
        await open(kit, 'other');
        const { body } = await agent.get('/api/v1/gateway/websockets?service=demo&limit=1').expect(200);
        expect(body).to.deep.include({ total: 2, limit: 1, offset: 0, by_service: { demo: 2, other: 1 } });
        expect(body.connections).to.have.length(1);
        expect(body.connections[0]).to.include({
          id: '1',
          service: 'demo',
          route: 'demo',
          mode,
          path: '/ws/demo/live',
          client: '127.0.0.1',
          consumer: null,
          target: upstream.url,
          opened_at: new Date(kit.clock.now()).toISOString(),
        });
        await agent.get('/api/v1/gateway/websockets/2').expect(200);
        await agent.get('/api/v1/gateway/websockets/4').expect(404);
        await agent.get('/api/v1/gateway/websockets?limit=x').expect(400);
        await agent.delete('/api/v1/gateway/websockets/1').expect(204);
        expect((await first.seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
        await agent.delete('/api/v1/gateway/websockets').expect(400);
        await agent.delete('/api/v1/gateway/websockets?service=demo&all=true').expect(400);
        expect((await agent.delete('/api/v1/gateway/websockets?service=other')).body).to.deep.equal({
          closed: 1,
        });
        await until('one to be left', async () => (await openConnections(kit)) === 1);
        expect((await agent.delete('/api/v1/gateway/websockets?all=true')).body).to.deep.equal({ closed: 1 });
        await until('none to be left', async () => (await openConnections(kit)) === 0);
        const { paths } = (await agent.get('/api/v1/gateway/openapi.json')).body;
        expect(Object.keys(paths['/api/v1/gateway/websockets'])).to.deep.equal(['get', 'delete']);
      });

      it('writes one line when a connection is over, and counts the target’s connections', async () => {
        const kit = await start({ mode });
        const { socket } = await open(kit);
        const target = kit.gateway.services.get('demo')?.targets[0];
        expect(target?.active).to.equal(1);
        socket.send('12345');
        await until('the message', () => upstream.accepted[0]?.seen.bytes === 5);
        upstream.accepted[0]?.socket.send('abc');
        await until('the answer', () => clients[0]?.seen.bytes === 3);
        kit.clock.tick(2500);
        socket.close(4000);
        const lines = () => kit.logLines.filter((line) => line.includes('A connection was closed'));
        await until('the line', () => lines().length === 1);
        expect(target?.active).to.equal(0);
        const line: unknown = JSON.parse(lines()[0] ?? '');
        expect(line).to.include({
          service: 'demo',
          route: 'demo',
          mode,
          duration_ms: 2500,
          client: '127.0.0.1',
        });
        if (mode === 'managed') {
          expect(line).to.include({
            messages_in: 1,
            messages_out: 1,
            bytes_in: 5,
            bytes_out: 3,
            close_code: 4000,
            closed_by: 'client',
          });
        } else {
          // Frames with their heads, in: masked; a close each way.
          expect(line).to.include({ bytes_in: 11 + 8, bytes_out: 5 + 4 });
        }
      });

      it('refuses new connections while the gateway drains, and says 1001 to the open ones', async () => {
        const kit = await start(
          { mode, drainGrace: '2s' },
          { settings: { shutdown: { drainTimeout: '30s' } } },
        );
        const { seen } = await open(kit);
        const stopped = kit.gateway.stop();
        await until('the drain', () => kit.clock.pending > 1);
        kit.clock.tick(1999);
        expect(seen.close).to.equal(undefined);
        kit.clock.tick(1);
        expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
        await upstream.accepted[0]?.seen.closed();
        await stopped;
        expect(kit.clock.pending).to.equal(0);
      });
    });
  }

  it('pings a silent side, keeps the answer to itself, and lets go of who does not answer', async () => {
    const kit = await start({ heartbeat: { interval: '30s', timeout: '10s' } });
    const client = await open(kit);
    kit.clock.tick(30_000);
    await until(
      'the pings',
      () => client.seen.frames.length === 1 && upstream.accepted[0]?.seen.frames.length === 1,
    );
    expect(client.seen.frames[0]).to.match(/^ping:/);
    // Both answer by themselves.
    client.socket.send('still here');
    await until('the message', () => upstream.accepted[0]?.seen.frames.length === 2);
    expect(upstream.accepted[0]?.seen.frames[1]).to.equal('text:still here');
    kit.clock.tick(11_000);
    expect(client.seen.close).to.equal(undefined);

    client.socket.pause();
    kit.clock.tick(30_000);
    kit.clock.tick(10_000);
    await until('its end', async () => (await openConnections(kit)) === 0);
    expect(kit.logLines.join('')).to.include('"cause":"client silent"');
    expect((await upstream.accepted[0]?.seen.closed())?.code).to.equal(1001);
  });

  it('lets go of a client that takes the ping and does not answer it', async () => {
    const kit = await start({ heartbeat: { interval: '30s', timeout: '10s' } });
    const client = await openClient(`${kit.url}/ws/demo/live`, [], { autoPong: false });
    clients.push(client);
    kit.clock.tick(30_000);
    await until('the pings', () => client.seen.frames.length === 1);
    kit.clock.tick(10_000);
    expect((await client.seen.closed()).code).to.equal(1006);
    expect(kit.logLines.join('')).to.include('"cause":"client silent"');
  });

  it('lets go of a target that takes the ping and does not answer it, and connects again', async () => {
    const mute = await startWebSocketUpstream(silent, { autoPong: false });
    const services = { demo: { targets: [mute.url], health: false } };
    const kit = await start({ heartbeat: { interval: '30s', timeout: '10s' } }, { settings: { services } });
    const { seen } = await open(kit);
    kit.clock.tick(30_000);
    await until('the pings', () => seen.frames.length === 1 && mute.accepted[0]?.seen.frames.length === 1);
    kit.clock.tick(10_000);
    expect((await mute.accepted[0]?.seen.closed())?.code).to.equal(1006);
    await until('the next connection', () => {
      kit.clock.tick(100);
      return mute.accepted.length === 2;
    });
    expect(seen.close).to.equal(undefined);
    await mute.close();
  });

  it('reads no more messages a second than the limit allows', async () => {
    const kit = await start({ messagesPerSecond: 10 });
    const { socket } = await open(kit);
    const received = () => upstream.accepted[0]?.seen.texts.length ?? 0;
    const large = 'x'.repeat(100_000);
    for (let i = 0; i < 100; i++) socket.send(large);
    await until('the first', () => received() >= 10);
    const atFirst = received();
    expect(atFirst).to.be.lessThan(20);
    for (let second = 1; received() < 100; second++) {
      const before = received();
      kit.clock.tick(1000);
      const due = Math.min(100, 10 * (second + 1));
      await until('those of the next second', () => received() >= due);
      expect(received() - before).to.be.lessThan(20);
    }
  });

  it('passes no more messages a second than the limit allows, although they came in one piece', async () => {
    const kit = await start({ messagesPerSecond: 10 });
    const { socket, seen } = await open(kit);
    for (let i = 0; i < 35; i++) socket.send(String(i));
    const received = () => upstream.accepted[0]?.seen.texts ?? [];
    for (const due of [10, 20, 30, 35]) {
      await until('those of this second', () => received().length >= due);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(received()).to.have.length(due);
      kit.clock.tick(1000);
    }
    expect(received()).to.deep.equal(Array.from({ length: 35 }, (_, i) => String(i)));
    kit.clock.tick(4000);
    socket.send('one more');
    await until('one more', () => received().length === 36);
    expect(seen.close).to.equal(undefined);
  });

  it('closes with 1009 for a message that is too large, and tells the service that the client goes', async () => {
    const kit = await start({ maxMessage: '1kb', maxUpstreamMessage: '2kb' });
    const client = await open(kit);
    client.socket.send('x'.repeat(1025));
    expect((await client.seen.closed()).code).to.equal(1009);
    expect((await upstream.accepted[0]?.seen.closed())?.code).to.equal(1001);
    const other = await open(kit);
    upstream.accepted[1]?.socket.send('x'.repeat(2049));
    expect((await other.seen.closed()).code).to.equal(1014);
    expect((await upstream.accepted[1]?.seen.closed())?.code).to.equal(1009);
  });

  it('tells metrics what goes on', async () => {
    const { default: metrics } = await import('../../plugins/metrics/index.js');
    const kit = await start({}, { before: [{ definition: metrics }] });
    const client = await open(kit);
    await open(kit);
    client.socket.send('12345');
    await until('the message', () => upstream.accepted[0]?.seen.bytes === 5);
    client.socket.close(1000);
    await client.seen.closed();
    await until('its end', async () => (await openConnections(kit)) === 1);
    const { text } = await kit.agent.get('/metrics').expect(200);
    for (const line of [
      'gateway_websocket_connections{plugin="ws-proxy",service="demo"} 1',
      'gateway_websocket_connections_opened_total{plugin="ws-proxy",service="demo"} 2',
      'gateway_websocket_connections_closed_total{plugin="ws-proxy",service="demo",close="normal"} 1',
      'gateway_websocket_messages_total{plugin="ws-proxy",service="demo",direction="in"} 1',
      'gateway_websocket_traffic_bytes_total{plugin="ws-proxy",service="demo",direction="in"} 5',
      'gateway_websocket_reconnects_total{plugin="ws-proxy",service="demo",result="connected"} 0',
    ]) {
      expect(text).to.include(line);
    }
  });

  it('compresses on the side where it is asked for', async () => {
    const deflating = await startWebSocketUpstream(undefined, { perMessageDeflate: true });
    const kit = await start(
      { deflate: { client: true, upstream: true } },
      { settings: { services: { demo: { targets: [deflating.url], health: false } } } },
    );
    const client = await openClient(`${kit.url}/ws/demo/live`, [], { perMessageDeflate: true });
    clients.push(client);
    expect(client.socket.extensions).to.equal('permessage-deflate');
    expect(deflating.accepted[0]?.socket.extensions).to.equal('permessage-deflate');
    const texts = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(2000));
    for (const text of texts) client.socket.send(text);
    await until('the echo', () => client.seen.texts.length === texts.length);
    expect(client.seen.texts).to.deep.equal(texts);
    const plain = await start(
      {},
      { settings: { services: { demo: { targets: [deflating.url], health: false } } } },
    );
    const without = await openClient(`${plain.url}/ws/demo/live`, [], { perMessageDeflate: true });
    clients.push(without);
    expect(without.socket.extensions).to.equal('');
    expect(deflating.accepted[1]?.socket.extensions).to.equal('');
    for (const { socket, seen } of clients) {
      socket.close();
      await seen.closed();
    }
    await deflating.close();
  });

  it('outlives a reload, also of its own options, and ends when it is configured no more', async () => {
    const kit = await start({ idleTimeout: '1m' });
    const client = await open(kit);
    await kit.gateway.reload(kit.configuration({ idleTimeout: '2m' }));
    client.socket.send('still here');
    await until('the message', () => upstream.accepted[0]?.seen.texts[0] === 'still here');
    expect(await openConnections(kit)).to.equal(1);
    const { plugins: _, ...without } = kit.configuration({});
    await kit.gateway.reload(without);
    kit.clock.tick(1000);
    expect((await client.seen.closed()).code).to.equal(1001);
  });
});
