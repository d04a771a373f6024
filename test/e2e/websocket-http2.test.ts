import { once } from 'node:events';
import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import type { ClientOptions } from 'ws';
import { catalogue } from '../../plugins/index.js';
import {
  openClient,
  refused,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from '../plugins/ws-proxy/sockets.js';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.js';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { extendedConnect, openSession, over } from '../support/http2-websocket.js';
import { fetchHttp2 } from '../support/tls-client.js';
import { until, untilSteady } from '../support/until.js';
import { fieldValues, startRawUpstream, startUpstream } from '../support/upstream.js';

const SECRET = 'a-secret-of-32-bytes-for-this-test-only';
const MESSAGE = 16 * 1024;

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`WebSockets over HTTP/2 (RFC 8441), ${mode}`, () => {
    let authority: Authority;
    let ca: Buffer;
    let own: Certificate;
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;
    let session: ClientHttp2Session;
    let lines: Record<string, unknown>[];

    before(async () => {
      authority = await createAuthority();
      ca = await authority.read(authority.cert);
      own = await authority.issue('gateway', ['localhost']);
    });

    after(() => authority.discard());

    function configuration(changes: RawConfig = {}): RawConfig {
      const open = (more: RawConfig = {}) =>
        service(upstream.url, { plugins: { 'auth-jwt': false, 'ws-proxy': { ...more } } });
      return {
        host: '127.0.0.1',
        port: 0,
        tls: own,
        via: 'gateway',
        logging: { level: 'INFO' },
        services: {
          a: open(),
          guarded: service(upstream.url),
          listed: open({ origins: ['https://app.test'] }),
          single: open({ connections: { perClient: 1 } }),
          compressed: open({ deflate: { client: true } }),
          fragile: open({ reconnect: { enabled: false } }),
          off: service(upstream.url, { plugins: { 'auth-jwt': false, 'ws-proxy': false } }),
          away: service('http://127.0.0.1:1', { plugins: { 'auth-jwt': false } }),
        },
        plugins: [
          { 'access-log': {} },
          { metrics: {} },
          { 'auth-jwt': { secret: SECRET, query: 'access_token' } },
          { 'fault-injection': { abort: { status: 'reset', header: 'x-abort' } } },
          { 'ws-proxy': { mode, drainGrace: 0 } },
        ],
        ...changes,
      };
    }

    beforeEach(async () => {
      lines = [];
      upstream = await startWebSocketUpstream(undefined, {
        perMessageDeflate: true,
        handleProtocols: (offered) => [...offered].find((each) => each === 'v2') ?? false,
      });
      const note = (fields: object, message?: string) => lines.push({ ...fields, message });
      const logger = { debug: note, info: note, warn: note, error: note, fatal: note, child: () => logger };
      gateway = await startGateway(configuration(), { catalogue, logger });
      session = await openSession(gateway.port, ca);
    });

    afterEach(async () => {
      session.destroy();
      await gateway.stop();
      await upstream.close();
    });

    const at = (path: string) => `http://localhost:${gateway.port}/ws/${path}`;
    /** Like `openClient`, on the session. */
    async function open(path: string, protocols: string[] = [], more: ClientOptions = {}) {
      const { options, connection } = over(session);
      const client = await openClient(at(path), protocols, { ...options, ...more });
      const raw = connection();
      const { headers, stream } = raw;
      if (stream === undefined) throw new Error('It did not come by the session');
      return { ...client, headers, stream, raw };
    }
    const refusedAs = (path: string, more: ClientOptions = {}) =>
      refused(at(path), [], { ...over(session).options, ...more });
    const ask = (head: OutgoingHttpHeaders) => fetchHttp2(session, head);
    const active = (name = 'a') => gateway.gateway.services.get(name)?.targets[0]?.active;
    const idle = (name = 'a') => until('nothing under way', () => active(name) === 0);

    it('is announced', () => {
      expect(session.remoteSettings.enableConnectProtocol).to.equal(true);
    });

    it('messages, pings and closes go both ways, and several share the session', async () => {
      const clients = [await open('a/live?x=1'), await open('a/live?x=2'), await open('a/live?x=3')];
      const large = 'ü'.repeat(300_000);
      for (const { socket } of clients) {
        socket.send('small');
        socket.send(Buffer.from([0, 255]));
        socket.ping('there?');
        socket.send(large);
      }
      for (const [index, { seen, socket }] of clients.entries()) {
        await until('the echo', () => seen.frames.length === 4);
        expect(seen.frames).to.have.members(['text:small', 'binary:00ff', 'pong:there?', `text:${large}`]);
        socket.close(4000 + index, 'bye');
        expect(await seen.closed()).to.deep.equal({ code: 4000 + index, reason: 'bye' });
        expect(await upstream.accepted[index]?.seen.closed()).to.deep.equal({
          code: 4000 + index,
          reason: 'bye',
        });
      }
      await idle();
    });

    it('a close of the service reaches the client', async () => {
      const { seen } = await open('a/live');
      upstream.accepted[0]?.socket.close(4321, 'enough');
      expect(await seen.closed()).to.deep.equal({ code: 4321, reason: 'enough' });
      await idle();
    });

    it('the answer is a 200 with the service’s choices, and nothing of HTTP/1.1', async () => {
      const { headers, socket, seen } = await open('a/live', ['v1', 'v2']);
      expect(headers).to.include({
        ':status': 200,
        'sec-websocket-protocol': 'v2',
        'x-gateway-service': 'a',
      });
      expect(headers['x-request-id']).to.match(/^req-/);
      for (const name of ['connection', 'upgrade', 'sec-websocket-accept', 'content-length'])
        expect(headers).not.to.have.property(name);
      socket.close();
      await seen.closed();
    });

    it('permessage-deflate', async () => {
      const { headers, socket, seen } = await open('compressed/live', [], { perMessageDeflate: true });
      expect(headers['sec-websocket-extensions']).to.match(/^permessage-deflate/);
      const text = 'again and '.repeat(10_000);
      socket.send(text);
      await until('the echo', () => seen.texts.length === 1);
      expect(seen.texts).to.deep.equal([text]);
      socket.close();
      await seen.closed();
    });

    it('the service sees an ordinary upgrade, that came by HTTP/2', async () => {
      const headers = { Cookie: 'a=1', 'X-Consumer-Id': 'mallory', Origin: 'https://a.example' };
      const { socket, seen } = await open('a/live?q=%20', [], { headers });
      const { url, rawHeaders } = upstream.accepted[0]?.req ?? {};
      const raw = rawHeaders ?? [];
      expect(url).to.equal('/ws/live?q=%20');
      expect(raw.filter((part) => part.startsWith(':'))).to.deep.equal([]);
      for (const [name, values] of Object.entries({
        host: [`127.0.0.1:${upstream.port}`],
        via: ['2.0 gateway'],
        cookie: ['a=1'],
        origin: ['https://a.example'],
        'x-consumer-id': [],
        'x-forwarded-host': [`localhost:${gateway.port}`],
        'x-forwarded-proto': ['https'],
        'x-forwarded-for': ['127.0.0.1'],
        'sec-websocket-version': ['13'],
      })) {
        expect(fieldValues(raw, name), name).to.deep.equal(values);
      }
      expect(fieldValues(raw, 'sec-websocket-key')).to.have.length(1);
      socket.close();
      await seen.closed();
    });

    describe('refusals', () => {
      for (const [path, status, code, headers] of [
        ['guarded/live', 401, 'UNAUTHORIZED', {}],
        ['listed/live', 403, 'FORBIDDEN', { Origin: 'https://evil.test' }],
        ['nobody/live', 404, 'ROUTE_NOT_FOUND', {}],
        ['away/live', 503, 'SERVICE_UNAVAILABLE', {}],
        ['off/live', 501, 'NOT_IMPLEMENTED', {}],
      ] as const) {
        it(`${status}, as over HTTP/1.1; the session goes on`, async () => {
          const { status: given, body } = await refusedAs(path, { headers });
          expect(given).to.equal(status);
          expect(JSON.parse(body)).to.include({ code });
          const { socket, seen } = await open('a/live');
          socket.send('still works');
          await until('the echo', () => seen.texts.length === 1);
          socket.close();
          await seen.closed();
          expect(upstream.accepted).to.have.length(1);
        });
      }

      it('a token opens what was refused', async () => {
        const token = jwt.sign({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60 }, SECRET);
        const { socket, seen } = await open(`guarded/live?access_token=${token}&a=1`);
        expect(upstream.accepted[0]?.req.headers['x-consumer-id']).to.equal('alice');
        expect(upstream.accepted[0]?.req.url).to.equal('/ws/live?a=1');
        socket.close();
        await seen.closed();
      });

      it('401 in the form that was asked for, with its challenge', async () => {
        const { headers, body } = await ask(
          extendedConnect('/ws/guarded/live', { accept: 'application/problem+json' }),
        );
        expect(headers).to.include({ ':status': 401, 'content-type': 'application/problem+json' });
        expect(headers['www-authenticate']).to.match(/^Bearer/);
        expect(JSON.parse(body)).to.include({ status: 401 });
      });

      it('429 for one too many, and a place again when the first has gone', async () => {
        const first = await open('single/live');
        expect((await refusedAs('single/live')).status).to.equal(429);
        first.stream.close(8);
        await idle('single');
        const second = await open('single/live');
        second.socket.terminate();
        await idle('single');
      });

      it('what the service answers instead goes to the client, of any length', async () => {
        const http = await startUpstream((_req, res) => {
          res.writeHead(402, { 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': 'text/x-bill' });
          res.write('pay ');
          setImmediate(() => res.end('x'.repeat(200_000)));
        });
        try {
          const { dataDirectory } = gateway;
          await gateway.gateway.reload(
            configuration({
              dataDirectory,
              services: { dear: service(http.url) },
              plugins: [{ 'ws-proxy': { mode } }],
            }),
          );
          const { headers, body } = await ask(extendedConnect('/ws/dear/live'));
          expect(headers).to.include({ ':status': 402, 'content-type': 'text/x-bill' });
          expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2']);
          expect(body).to.equal(`pay ${'x'.repeat(200_000)}`);
          await idle('dear');
          await until('no connection at the service', () => http.openSockets() === 0);
        } finally {
          await http.close();
        }
      });

      it('502 where the service grants it wrongly: only the gateway has the key', async () => {
        const wrong = await startRawUpstream((socket) => {
          socket.on('data', () =>
            socket.write(
              'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
                'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
            ),
          );
        });
        try {
          const { dataDirectory } = gateway;
          const services = { wrong: service(wrong.url) };
          await gateway.gateway.reload(
            configuration({ dataDirectory, services, plugins: [{ 'ws-proxy': { mode } }] }),
          );
          expect((await ask(extendedConnect('/ws/wrong/live'))).headers[':status']).to.equal(502);
          await idle('wrong');
          await until('no connection at the service', () => wrong.openSockets() === 0);
        } finally {
          await wrong.close();
        }
      });

      it('a body that the service breaks off is broken off', async () => {
        let breakOff = () => {};
        const http = await startUpstream((_req, res) => {
          res.writeHead(402, { 'Content-Length': '100' });
          res.write('pay ');
          breakOff = () => res.destroy();
        });
        try {
          const { dataDirectory } = gateway;
          const services = { dear: service(http.url) };
          await gateway.gateway.reload(
            configuration({ dataDirectory, services, plugins: [{ 'ws-proxy': { mode } }] }),
          );
          const stream = session.request(extendedConnect('/ws/dear/live'), { endStream: false });
          stream.on('error', () => undefined);
          const [headers] = await once(stream, 'response');
          expect(headers[':status']).to.equal(402);
          breakOff();
          await until('the reset', () => stream.destroyed);
          expect(stream.rstCode).to.equal(2);
          await idle('dear');
        } finally {
          await http.close();
        }
      });
    });

    describe('ends', () => {
      it('a client that resets its stream is gone for the service, and its session goes on', async () => {
        const { stream } = await open('a/live');
        stream.close(8);
        expect((await upstream.accepted[0]?.seen.closed())?.code).to.equal(1006);
        await idle();
        const { socket, seen } = await open('a/live');
        socket.close(1000);
        await seen.closed();
      });

      it('a plugin that breaks the connection off breaks off the stream alone', async () => {
        const { socket, seen } = await open('a/live');
        const stream = session.request(extendedConnect('/ws/a/live', { 'x-abort': '1' }));
        stream.on('error', () => undefined);
        await until('the reset', () => stream.destroyed);
        expect(stream.rstCode).to.equal(2);
        socket.send('still here');
        await until('the echo', () => seen.texts.length === 1);
        socket.close();
        await seen.closed();
      });

      it('a client whose connection is lost takes all its WebSockets along', async () => {
        await open('a/live');
        await open('a/live');
        session.destroy();
        for (const { seen } of upstream.accepted) expect((await seen.closed()).code).to.equal(1006);
        await idle();
      });

      it('a client that goes while the service is being asked leaves nothing behind', async () => {
        let asked = 0;
        upstream.server.removeAllListeners('upgrade');
        upstream.server.on('upgrade', () => {
          asked++;
        });
        const stream = session.request(extendedConnect('/ws/a/live'), { endStream: false });
        stream.on('error', () => undefined);
        await until('the question', () => asked === 1);
        expect(active()).to.equal(1);
        stream.close(8);
        await idle();
        await until('the line', () => lines.some(({ status }) => status === 499));
      });

      it('clients that go at any moment leave nothing behind', async () => {
        for (let i = 0; i < 150; i++) {
          const stream = session.request(extendedConnect('/ws/a/live'), { endStream: false });
          stream.on('error', () => undefined);
          stream.write(Buffer.from('8182000000006869', 'hex'));
          const go = () => stream.close(i % 2 === 0 ? 8 : 0);
          if (i % 5 === 0) go();
          else if (i % 5 === 1) setImmediate(go);
          else if (i % 5 === 2) stream.on('response', go);
          else if (i % 5 === 3) stream.on('data', go);
          else stream.on('response', () => stream.resume().end());
          await until('its end', () => stream.destroyed);
        }
        await idle();
        for (const { seen } of upstream.accepted) await seen.closed();
        const { body } = await ask({ ':path': '/api/v1/gateway/websockets' });
        expect(JSON.parse(body)).to.include({ total: 0 });
        // Whatever were still under way would hold it up.
        const before = performance.now();
        await gateway.stop();
        expect(performance.now() - before).to.be.lessThan(1500);
      }).timeout(20_000);

      it('a client that ends its side behind its close gets the answers to what it has sent', async () => {
        const { raw, socket, seen } = await open('a/live');
        socket.send('last');
        // As Chromium does: END_STREAM comes along with the close.
        socket.close(4001, 'bye');
        raw.end();
        expect(await seen.closed()).to.deep.equal({ code: 4001, reason: 'bye' });
        expect(seen.texts).to.deep.equal(['last']);
        expect(await upstream.accepted[0]?.seen.closed()).to.deep.equal({ code: 4001, reason: 'bye' });
        await idle();
      });

      it('a service that is lost', async () => {
        const { seen } = await open('fragile/live');
        upstream.accepted[0]?.raw.resetAndDestroy();
        const { code } = await seen.closed();
        if (mode === 'managed') expect(code).to.equal(1014);
        else expect(code).to.equal(1006);
        await idle('fragile');
      });

      it('an administrator closes it', async () => {
        const { seen } = await open('a/live');
        const { body } = await ask({ ':path': '/api/v1/gateway/websockets' });
        const { connections } = JSON.parse(body);
        expect(connections).to.have.length(1);
        expect(connections[0]).to.include({ mode, service: 'a', client: '127.0.0.1', path: '/ws/a/live' });
        await ask({ ':method': 'DELETE', ':path': `/api/v1/gateway/websockets/${connections[0].id}` });
        expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
        await idle();
      });

      it('a gateway that stops says so, and ends the session', async () => {
        const { seen } = await open('a/live');
        const ended = once(session, 'close');
        await gateway.stop();
        expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
        await ended;
      });

      it('a reload leaves it open', async () => {
        const { socket, seen } = await open('a/live');
        const { dataDirectory } = gateway;
        await gateway.gateway.reload(configuration({ dataDirectory, plugins: [{ 'ws-proxy': { mode } }] }));
        socket.send('still here');
        await until('the echo', () => seen.texts.length === 1);
        socket.close();
        await seen.closed();
      });
    });

    it('a client that reads nothing stops the service, and no other on its session', async () => {
      const slow = await open('a/live');
      const other = await open('a/live');
      slow.socket.pause();
      slow.stream.pause();
      const sender = upstream.accepted[0]?.socket;
      let sent = 0;
      let stopped = false;
      const send = () => {
        if (stopped) return;
        sent++;
        sender?.send(Buffer.alloc(MESSAGE), () => setImmediate(send));
      };
      send();
      expect((await untilSteady(() => sent, 300)) * MESSAGE).to.be.lessThan(16 * 1024 * 1024);
      const large = 'x'.repeat(500_000);
      other.socket.send(large);
      await until('the echo', () => other.seen.texts.length === 1);
      stopped = true;
      slow.socket.resume();
      slow.stream.resume();
      await until('everything', () => slow.seen.frames.length === sent, 8000);
      slow.socket.terminate();
      other.socket.terminate();
      await idle();
    });

    it('a service that reads nothing stops the client, and no other on its session', async () => {
      const slow = await open('a/live');
      const other = await open('a/live');
      upstream.accepted[0]?.socket.pause();
      let sent = 0;
      let stopped = false;
      const send = () => {
        if (stopped) return;
        slow.socket.send(Buffer.alloc(MESSAGE), (error) => {
          if (error) return;
          sent++;
          setImmediate(send);
        });
      };
      send();
      expect((await untilSteady(() => sent, 300)) * MESSAGE).to.be.lessThan(16 * 1024 * 1024);
      const large = 'x'.repeat(500_000);
      other.socket.send(large);
      await until('the echo', () => other.seen.texts.length === 1);
      stopped = true;
      const taken = upstream.accepted[0];
      taken?.socket.resume();
      await until('everything', () => (taken?.seen.frames.length ?? 0) >= sent, 8000);
      slow.socket.terminate();
      other.socket.terminate();
      await idle();
    });

    it('log and metrics have it as any other', async () => {
      const { socket, seen } = await open('a/live');
      socket.send('hello');
      await until('the echo', () => seen.texts.length === 1);
      socket.close(1000);
      await seen.closed();
      await refusedAs('nobody/live');
      await idle();
      await until('three lines', () => lines.filter(({ path }) => path !== undefined).length >= 3);
      const [granted, closed, unknown] = lines.filter(({ path }) => path !== undefined);
      expect(granted).to.include({ method: 'GET', path: '/ws/a/live', status: 101, service: 'a' });
      expect(closed).to.include({ mode, path: '/ws/a/live', message: 'A connection was closed' });
      expect(unknown).to.include({ method: 'GET', path: '/ws/nobody/live', status: 404 });
      const { body } = await ask({ ':path': '/metrics' });
      expect(body).to.match(/gateway_websocket_connections_opened_total\{[^}]*service="a"[^}]*\} 1/);
      expect(body).to.match(/gateway_websocket_connections\{[^}]*service="a"[^}]*\} 0/);
    });
  });
}
