import { connect } from 'node:net';
import { expect } from 'chai';
import jwt from 'jsonwebtoken';
import { catalogue } from '../../plugins/index.js';
import {
  openClient,
  refused,
  silent,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from '../plugins/ws-proxy/sockets.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { fieldValues, startUpstream } from '../support/upstream.js';

const MODES = ['managed', 'tunnel'] as const;
const SECRET = 'a-secret-of-32-bytes-for-this-test-only';

function token(claims: object = {}): string {
  return jwt.sign({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 60, ...claims }, SECRET);
}

for (const mode of MODES) {
  describe(`WebSockets as the requirements have them, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;

    beforeEach(async () => {
      upstream = await startWebSocketUpstream(undefined, {
        handleProtocols: (offered) => [...offered].find((each) => each.startsWith('v')) ?? false,
      });
      const authJwt = { secret: SECRET, cookie: 'token', query: 'access_token', subprotocol: 'bearer.' };
      gateway = await startGateway(
        {
          services: {
            'market-data-collector': service(upstream.url, { plugins: { 'auth-jwt': false } }),
            guarded: service(upstream.url),
            away: service('http://127.0.0.1:1', { plugins: { 'auth-jwt': false } }),
          },
          routes: [
            {
              id: 'own',
              match: { path: '/feeds/:name' },
              service: 'market-data-collector',
              rewrite: '/ws/feed/:name',
            },
          ],
          plugins: [{ 'auth-jwt': authJwt }, { 'ws-proxy': { mode } }],
        },
        { catalogue },
      );
    });

    afterEach(async () => {
      await gateway.stop();
      await upstream.close();
    });

    it('/ws/{service}/{path} reaches /ws/{path}, with its query', async () => {
      const { socket, seen } = await openClient(
        `${gateway.url}/ws/market-data-collector/live?symbol=a%20b&x`,
      );
      expect(upstream.accepted[0]?.req.url).to.equal('/ws/live?symbol=a%20b&x');
      socket.send('{"type":"hello"}');
      await until('the echo', () => seen.frames.length > 0);
      expect(seen.frames).to.deep.equal(['text:{"type":"hello"}']);
      socket.close();
      await seen.closed();
    });

    it('a route of one’s own is rewritten', async () => {
      const { socket, seen } = await openClient(`${gateway.url}/feeds/trades`);
      expect(upstream.accepted[0]?.req.url).to.equal('/ws/feed/trades');
      socket.close();
      await seen.closed();
    });

    it('messages, pings and closes go both ways as they are', async () => {
      const { socket, seen } = await openClient(`${gateway.url}/ws/market-data-collector/live`);
      const [accepted] = upstream.accepted;
      socket.send('text ü');
      socket.send(Buffer.from([0, 255, 128]));
      socket.send('');
      socket.ping('are you there?');
      await until('the pong', () => seen.frames.length === 4);
      expect(seen.frames).to.deep.equal(['text:text ü', 'binary:00ff80', 'text:', 'pong:are you there?']);
      expect(accepted?.seen.frames.at(-1)).to.equal('ping:are you there?');
      accepted?.socket.ping('and you?');
      await until('the client’s pong', () => accepted?.seen.frames.at(-1) === 'pong:and you?');
      socket.close(4321, 'enough');
      expect(await accepted?.seen.closed()).to.deep.equal({ code: 4321, reason: 'enough' });
      expect(await seen.closed()).to.deep.equal({ code: 4321, reason: 'enough' });
    });

    for (const [code, reason] of [
      [1000, 'done'],
      [1001, ''],
      [1011, 'ü'.repeat(61)],
      [3000, ''],
      [4999, 'x'],
      [undefined, ''],
    ] as const) {
      it(`a close of the service with ${code ?? 'no code'} reaches the client`, async () => {
        const { seen } = await openClient(`${gateway.url}/ws/market-data-collector/live`);
        upstream.accepted[0]?.socket.close(code, reason);
        expect(await seen.closed()).to.deep.equal({ code: code ?? 1005, reason });
      });
    }

    it('a client that goes without a close is gone for the service too, after its last message', async () => {
      const { socket, seen } = await openClient(`${gateway.url}/ws/market-data-collector/live`);
      const accepted = upstream.accepted[0];
      socket.send('last', () => socket.terminate());
      expect(await accepted?.seen.closed()).to.deep.equal({ code: 1006, reason: '' });
      await seen.closed();
      expect(accepted?.seen.texts).to.deep.equal(['last']);
    });

    it('the subprotocol is the service’s choice among the client’s offers', async () => {
      const { socket, seen, response } = await openClient(`${gateway.url}/ws/market-data-collector/live`, [
        'a',
        'v2',
        'v1',
      ]);
      expect(socket.protocol).to.equal('v2');
      expect(upstream.accepted[0]?.req.headers['sec-websocket-protocol']?.replaceAll(' ', '')).to.equal(
        'a,v2,v1',
      );
      expect(response.headers['x-request-id']).to.match(/^req-/);
      expect(response.headers['x-gateway-service']).to.equal('market-data-collector');
      socket.close();
      await seen.closed();
    });

    it('the service sees the forwarding fields, end-to-end fields, and no others', async () => {
      const { socket, seen } = await openClient(`${gateway.url}/ws/market-data-collector/live`, [], {
        headers: {
          'X-Custom': '1',
          'X-Hop': '2',
          'X-Consumer-Id': 'mallory',
          'X-Forwarded-For': '192.0.2.1',
          Origin: 'https://a.example',
        },
      });
      const raw = upstream.accepted[0]?.req.rawHeaders ?? [];
      expect(fieldValues(raw, 'x-custom')).to.deep.equal(['1']);
      expect(fieldValues(raw, 'origin')).to.deep.equal(['https://a.example']);
      expect(fieldValues(raw, 'x-consumer-id')).to.deep.equal([]);
      expect(fieldValues(raw, 'x-forwarded-for')).to.deep.equal(['127.0.0.1']);
      expect(fieldValues(raw, 'host')).to.deep.equal([`127.0.0.1:${upstream.port}`]);
      expect(fieldValues(raw, 'connection').map((each) => each.toLowerCase())).to.deep.equal(['upgrade']);
      expect(fieldValues(raw, 'x-request-id')).to.have.length(1);
      socket.close();
      await seen.closed();
    });

    describe('refusals are real HTTP responses', () => {
      it('401 without a token', async () => {
        const { status, headers, body } = await refused(`${gateway.url}/ws/guarded/live`);
        expect(status).to.equal(401);
        expect(headers['www-authenticate']).to.equal('Bearer realm="gateway"');
        expect(JSON.parse(body)).to.include({ code: 'UNAUTHORIZED' });
        expect(upstream.accepted).to.deep.equal([]);
      });

      it('404 for an unknown service, 426 for a plain GET, 503 for a service that is away', async () => {
        expect((await refused(`${gateway.url}/ws/nobody/live`)).status).to.equal(404);
        const plain = await fetch(`${gateway.url}/ws/market-data-collector/live`);
        expect(plain.status).to.equal(426);
        expect(plain.headers.get('upgrade')).to.equal('websocket');
        const away = await refused(`${gateway.url}/ws/away/live`);
        expect(away.status).to.equal(503);
        expect(JSON.parse(away.body)).to.include({ code: 'SERVICE_UNAVAILABLE' });
      });

      it('what the service answers instead of a 101 may be of any length', async () => {
        const http = await startUpstream((_req, res) => {
          res.writeHead(402, { 'Content-Type': 'text/x-bill' });
          res.write('pay ');
          setImmediate(() => res.end('x'.repeat(10_000_000)));
        });
        await gateway.gateway.reload({
          host: '127.0.0.1',
          port: 0,
          dataDirectory: gateway.dataDirectory,
          logging: { level: 'CRITICAL' },
          services: { dear: service(http.url) },
          plugins: [{ 'ws-proxy': { mode } }],
        });
        const { status, body } = await refused(`${gateway.url}/ws/dear/live`);
        expect({ status, length: body.length }).to.deep.equal({ status: 402, length: 10_000_004 });
        await http.close();
      });

      it('what the service answers instead of a 101 goes to the client', async () => {
        const http = await startUpstream((_req, res) => {
          res.writeHead(402, {
            'X-Reason': 'unpaid',
            'Set-Cookie': ['a=1', 'b=2'],
            'Content-Type': 'text/x-bill',
          });
          res.end('pay first');
        });
        await gateway.gateway.reload({
          host: '127.0.0.1',
          port: 0,
          dataDirectory: gateway.dataDirectory,
          logging: { level: 'CRITICAL' },
          services: { dear: service(http.url) },
          plugins: [{ 'ws-proxy': { mode } }],
        });
        const { status, headers, body } = await refused(`${gateway.url}/ws/dear/live`);
        expect({ status, body }).to.deep.equal({ status: 402, body: 'pay first' });
        expect(headers).to.include({
          'x-reason': 'unpaid',
          'content-type': 'text/x-bill',
          'x-gateway-service': 'dear',
        });
        expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2']);
        await until('no connection at the service', () => http.openSockets() === 0);
        const target = gateway.gateway.services.get('dear')?.targets[0];
        expect(target?.active).to.equal(0);
        await http.close();
      });
    });

    describe('the token of a browser', () => {
      it('in the query', async () => {
        const { socket, seen } = await openClient(
          `${gateway.url}/ws/guarded/live?a=1&access_token=${token()}&b=2`,
        );
        expect(upstream.accepted[0]?.req.url).to.equal('/ws/live?a=1&b=2');
        expect(upstream.accepted[0]?.req.headers['x-consumer-id']).to.equal('alice');
        socket.close();
        await seen.closed();
      });

      it('in a cookie', async () => {
        const { socket, seen } = await openClient(`${gateway.url}/ws/guarded/live`, [], {
          headers: { Cookie: `a=1; token=${token()}; b=2` },
        });
        expect(upstream.accepted[0]?.req.headers.cookie?.replaceAll(' ', '')).to.equal('a=1;b=2');
        socket.close();
        await seen.closed();
      });

      it('among the subprotocols', async () => {
        const { socket, seen } = await openClient(`${gateway.url}/ws/guarded/live`, [
          'v1',
          `bearer.${token()}`,
        ]);
        expect(socket.protocol).to.equal('v1');
        expect(upstream.accepted[0]?.req.headers['sec-websocket-protocol']).to.equal('v1');
        socket.close();
        await seen.closed();
      });

      it('a bad one is refused', async () => {
        for (const [query, protocols] of [
          ['?access_token=x', []],
          ['', ['v1', 'bearer.x.y.z']],
          ['', [`bearer.${token()}`, `bearer.${token({ sub: 'bob' })}`]],
        ] as const) {
          expect((await refused(`${gateway.url}/ws/guarded/live${query}`, [...protocols])).status).to.equal(
            401,
          );
        }
      });
    });
  });

  describe(`what stands behind and before a handshake, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;

    beforeEach(async () => {
      upstream = await startWebSocketUpstream(silent);
      gateway = await startGateway(
        { services: { a: service(upstream.url) }, plugins: [{ 'ws-proxy': { mode } }] },
        { catalogue },
      );
    });

    afterEach(async () => {
      await gateway.stop();
      await upstream.close();
    });

    const handshake =
      'GET /ws/a/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

    it('frames that come with the handshake arrive once it is granted', async () => {
      const socket = await RawConnection.open(gateway.port);
      socket.send(handshake);
      // A text "hi", masked with zeros.
      socket.send(Buffer.from('8182000000006869', 'hex'));
      await until('the message', () => upstream.accepted[0]?.seen.texts[0] === 'hi');
      expect(socket.text).to.match(/^HTTP\/1\.1 101 /);
      socket.destroy();
    });

    it('frames in the same packet as the handshake arrive as well', async () => {
      const socket = await RawConnection.open(gateway.port);
      socket.send(Buffer.concat([Buffer.from(handshake), Buffer.from('8182000000006869', 'hex')]));
      await until('the message', () => upstream.accepted[0]?.seen.texts[0] === 'hi');
      socket.destroy();
    });

    it('a client that ends its side behind its close gets its answer', async () => {
      const socket = await RawConnection.open(gateway.port);
      socket.send(handshake);
      await socket.received('\r\n\r\n');
      // A close with 4001, masked with zeros.
      socket.socket.end(Buffer.from('8882000000000fa1', 'hex'));
      await until('the end of the connection', () => socket.closed, 5000);
      expect(Buffer.from(socket.text, 'latin1').subarray(-4).toString('hex')).to.equal('88020fa1');
      expect(upstream.accepted[0]?.seen.close).to.deep.equal({ code: 4001, reason: '' });
    });

    it('an upgrade behind requests that were answered is granted', async () => {
      const socket = await RawConnection.open(gateway.port);
      socket.send('GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n');
      await socket.responses(1);
      socket.send(handshake);
      await socket.received('HTTP/1.1 101');
      expect(upstream.accepted).to.have.length(1);
      socket.destroy();
    });

    it('an HTTP request behind a handshake is no request', async () => {
      const socket = await RawConnection.open(gateway.port);
      socket.send(`${handshake}GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n`);
      await until('the end of the connection', () => socket.closed, 5000);
      // Taken for frames, which they are not.
      expect(socket.text.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 101']);
      socket.destroy();
    });

    it('a client that goes while the service is being asked leaves nothing behind', async () => {
      let asked = 0;
      upstream.server.removeAllListeners('upgrade');
      upstream.server.on('upgrade', () => {
        asked++;
      });
      const target = gateway.gateway.services.get('a')?.targets[0];
      const socket = connect(gateway.port, '127.0.0.1');
      socket.write(handshake);
      await until('the question', () => asked === 1);
      expect(target?.active).to.equal(1);
      socket.resetAndDestroy();
      await until('nothing under way', () => target?.active === 0);
    });
  });
}
