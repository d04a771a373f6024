import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { openClient, startWebSocketUpstream, type WebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type Authority, createAuthority } from '../support/certificates.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { extendedConnect, openSession, over } from '../support/http2-websocket.js';
import { sendRawHttp2 } from '../support/raw-http2.js';
import { until } from '../support/until.js';
import { closeCodeOf, expected, FRAMES, type PerMode } from './websocket-malformed-rows.js';

/** What comes of a CONNECT: a status; or `reset`, where it is no request at all and the HTTP/2 library says so. */
type Outcome = number | 'reset';

interface Row {
  readonly title: string;
  readonly head: OutgoingHttpHeaders;
  readonly outcome: PerMode<Outcome>;
}

const at = (changes: OutgoingHttpHeaders) => extendedConnect('/ws/a/x', changes);
/** Without one of the fields that it needs. */
function without(name: string): OutgoingHttpHeaders {
  const { [name]: _, ...rest } = at({ ':authority': 'localhost' });
  return rest;
}

const ROWS: readonly Row[] = [
  { title: 'CONNECT as to a proxy', head: { ':method': 'CONNECT', ':authority': 'a:443' }, outcome: 501 },
  {
    title: 'CONNECT to the gateway itself',
    head: { ':method': 'CONNECT', ':authority': 'localhost' },
    outcome: 501,
  },
  { title: 'another protocol', head: at({ ':protocol': 'connect-udp' }), outcome: 501 },
  { title: 'a list of protocols', head: at({ ':protocol': 'websocket, h2c' }), outcome: 501 },
  { title: 'h2c, which HTTP/1.1 may ignore', head: at({ ':protocol': 'h2c' }), outcome: 501 },
  { title: 'an empty protocol', head: at({ ':protocol': '' }), outcome: 'reset' },
  { title: 'a protocol without CONNECT', head: at({ ':method': 'GET' }), outcome: 'reset' },
  { title: 'an empty :path', head: at({ ':path': '' }), outcome: 'reset' },
  { title: 'a :path that is no path', head: at({ ':path': 'ws/a/x' }), outcome: 'reset' },
  { title: '* as :path', head: at({ ':path': '*' }), outcome: 'reset' },
  {
    title: 'another URL as :path, under a scheme of its own',
    head: at({ ':path': 'https://evil.test/ws/a/x', ':scheme': 'wss' }),
    outcome: 400,
  },
  { title: 'a :path that leaves the root', head: at({ ':path': '/ws/../../a' }), outcome: 400 },
  { title: 'an authority that is none', head: at({ ':authority': 'user@shop.test' }), outcome: 400 },
  { title: 'a Host beside :authority', head: at({ ':authority': 'a.test', host: 'b.test' }), outcome: 400 },
  { title: 'a body that is declared', head: at({ 'content-length': '5' }), outcome: 400 },
  { title: 'no version', head: without('sec-websocket-version'), outcome: { managed: 426, tunnel: 400 } },
  {
    title: 'another version',
    head: at({ 'sec-websocket-version': '8' }),
    // The service takes this one.
    outcome: { managed: 426, tunnel: 200 },
  },
  {
    title: 'subprotocols that are none',
    head: at({ 'sec-websocket-protocol': 'a b' }),
    outcome: { managed: 400, tunnel: 400 },
  },
  {
    title: 'the same subprotocol twice',
    head: at({ 'sec-websocket-protocol': 'a, a' }),
    outcome: { managed: 400, tunnel: 400 },
  },
  { title: 'no such route', head: extendedConnect('/nowhere'), outcome: 404 },
  { title: 'an admin route', head: extendedConnect('/api/v1/gateway/status'), outcome: 404 },
  { title: 'a route that takes no upgrades', head: extendedConnect('/ws/off/x'), outcome: 501 },
  { title: 'too many fields', head: at({ 'x-many': Array(200).fill('1') }), outcome: 'reset' },
];

const METHOD = [':method', 'CONNECT'];
const REST = [':scheme', 'https', ':authority', 'localhost', ':path', '/ws/a/x'];
const PROTOCOL = [':protocol', 'websocket'];
const VERSION = ['sec-websocket-version', '13'];
const RIGHT = [...METHOD, ...PROTOCOL, ...REST, ...VERSION];

/** What no client library sends. Those that are not answered are stream errors of type PROTOCOL_ERROR (RFC 9113 section 8.1.1). */
const RAW_ROWS: readonly (readonly [title: string, fields: readonly string[], outcome: string])[] = [
  ['as it should be', RIGHT, 'answered'],
  ['no :path', [...METHOD, ...PROTOCOL, ...REST.slice(0, 4), ...VERSION], 'reset 1'],
  ['no :scheme', [...METHOD, ...PROTOCOL, ...REST.slice(2), ...VERSION], 'reset 1'],
  ['no :authority', [...METHOD, ...PROTOCOL, ...REST.slice(0, 2), ...REST.slice(4), ...VERSION], 'reset 1'],
  ['a :path without :protocol', [...METHOD, ...REST, ...VERSION], 'reset 1'],
  ['two protocols', [...METHOD, ...PROTOCOL, ...PROTOCOL, ...REST, ...VERSION], 'reset 1'],
  ['two paths', [...RIGHT.slice(0, 10), ':path', '/ws/off/x', ...VERSION], 'reset 1'],
  ['a :protocol behind other fields', [...METHOD, ...REST, ...VERSION, ...PROTOCOL], 'reset 1'],
  ['an unknown pseudo field', [...METHOD, ':own', '1', ...PROTOCOL, ...REST, ...VERSION], 'reset 1'],
  ['Connection', [...RIGHT, 'connection', 'upgrade'], 'reset 1'],
  ['Upgrade', [...RIGHT, 'upgrade', 'websocket'], 'reset 1'],
  ['Transfer-Encoding', [...RIGHT, 'transfer-encoding', 'chunked'], 'reset 1'],
  ['a name in capitals', [...RIGHT, 'X-Own', '1'], 'reset 1'],
  // A field like this one is left out.
  ['a line break in a value', [...RIGHT, 'x-own', 'a\r\nb: c'], 'answered'],
  ['a Content-Length that is no number', [...RIGHT, 'content-length', '+5'], 'reset 1'],
  ['two of them', [...RIGHT, 'content-length', '5', 'content-length', '6'], 'reset 1'],
];

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`malformed CONNECTs and frames over HTTP/2, ${mode}`, () => {
    let authority: Authority;
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;
    let session: ClientHttp2Session;
    let ca: Buffer;

    before(async () => {
      authority = await createAuthority();
      ca = await authority.read(authority.cert);
      upstream = await startWebSocketUpstream(undefined, { maxPayload: 100 * 1024 });
      const limits = { maxMessage: '100kb', maxUpstreamMessage: '100kb' };
      gateway = await startGateway(
        {
          tls: await authority.issue('gateway', ['localhost']),
          services: {
            a: service(upstream.url),
            off: service(upstream.url, { plugins: { 'ws-proxy': false } }),
          },
          plugins: [{ 'ws-proxy': { mode, ...limits } }],
        },
        { catalogue },
      );
      session = await openSession(gateway.port, ca);
    });

    after(async () => {
      session.destroy();
      await gateway.stop();
      await upstream.close();
      await authority.discard();
    });

    afterEach(async () => {
      const target = gateway.gateway.services.get('a')?.targets[0];
      await until('nothing under way', () => target?.active === 0);
      const url = `http://localhost:${gateway.port}/ws/a/x`;
      const { socket, seen } = await openClient(url, [], over(session).options);
      socket.send('still works');
      await until('the echo', () => seen.texts[0] === 'still works');
      socket.terminate();
      await until('nothing under way', () => target?.active === 0);
    });

    for (const { title, head, outcome } of ROWS) {
      it(`${title}: ${expected(outcome, mode)}`, async () => {
        const before = upstream.accepted.length;
        const stream = session.request(head, { endStream: false });
        let status: number | undefined;
        let body = '';
        stream.on('response', (headers) => {
          status = headers[':status'];
        });
        stream.on('data', (chunk) => {
          body += String(chunk);
        });
        stream.on('error', () => undefined);
        await until('the end', () => stream.destroyed || status === 200);
        if (status === 200) stream.close(8);
        expect(status ?? 'reset').to.equal(expected(outcome, mode));
        if (status !== undefined && upstream.accepted.length === before && mode === 'managed') {
          expect(JSON.parse(body)).to.include.keys('code', 'request_id');
        }
      });
    }

    for (const [title, fields, outcome] of RAW_ROWS) {
      it(`${title}: ${outcome}`, async () => {
        const before = upstream.accepted.length;
        expect(await sendRawHttp2(gateway.port, fields)).to.equal(outcome);
        const accepted = upstream.accepted.slice(before);
        expect(accepted).to.have.length(outcome === 'answered' ? 1 : 0);
        for (const { req } of accepted) expect(req.headers).not.to.have.any.keys('x-own', 'b');
      });
    }

    for (const { title, bytes, code } of FRAMES) {
      for (const how of ['behind the answer', 'along with the request'] as const) {
        it(`${title}, ${how}: ${expected(code, mode)}`, async () => {
          const stream = session.request(extendedConnect('/ws/a/x'), { endStream: false });
          let received = Buffer.alloc(0);
          let answered = false;
          stream.on('error', () => undefined);
          stream.on('response', () => {
            answered = true;
          });
          stream.on('data', (chunk: Buffer) => {
            received = Buffer.concat([received, chunk]);
          });
          if (how === 'behind the answer') await until('the answer', () => answered);
          stream.write(bytes);
          await until('the close', () => closeCodeOf(received) !== undefined || stream.destroyed);
          expect(closeCodeOf(received)).to.equal(expected(code, mode));
          stream.end();
          await until('the end', () => stream.destroyed);
        });
      }
    }
  });
}
