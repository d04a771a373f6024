import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { upgradeOf } from '../../../core/server/extended-connect.js';
import { extendedConnect } from '../../support/http2-websocket.js';
import { until, untilSteady } from '../../support/until.js';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** What came of a CONNECT on the server's side, and on the client's. */
interface Opened {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly events: string[];
  readonly stream: ClientHttp2Stream;
}

describe('extended CONNECT', () => {
  let server: Http2Server;
  let session: ClientHttp2Session;
  let taken: (upgrade: { req: IncomingMessage; socket: Socket }) => void;
  let failed: (error: unknown) => void;

  beforeEach(async () => {
    server = createServer({ settings: { enableConnectProtocol: true } });
    // Only then are the streams given the form that the gateway sees.
    server.on('request', (_req, res) => res.end());
    server.on('connect', (req, res) => {
      try {
        taken(upgradeOf(req));
      } catch (error) {
        failed(error);
        res.stream.respond({ ':status': 400 }, { endStream: true });
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    session = connect(`http://127.0.0.1:${address.port}`);
    await once(session, 'remoteSettings');
  });

  afterEach(async () => {
    session.destroy();
    const closed = once(server, 'close');
    server.close();
    await closed;
  });

  async function open(head: OutgoingHttpHeaders = extendedConnect('/')): Promise<Opened> {
    const upgrade = new Promise<{ req: IncomingMessage; socket: Socket }>((resolve, reject) => {
      taken = resolve;
      failed = reject;
    });
    const stream = session.request(head, { endStream: false });
    stream.on('error', () => undefined);
    const { req, socket } = await upgrade;
    const events: string[] = [];
    for (const name of ['end', 'finish', 'close', 'error']) socket.on(name, () => events.push(name));
    return { req, socket, events, stream };
  }

  function refusal(head: OutgoingHttpHeaders): Promise<unknown> {
    return open(head).then(
      () => 'taken',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    );
  }

  /** The head of a 101 as `ws` writes it. */
  function granting({ req }: Opened, ...lines: string[]): string {
    const key = String(req.headers['sec-websocket-key']);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    return [...head, `Sec-WebSocket-Accept: ${accept}`, ...lines, '', ''].join('\r\n');
  }

  async function responseOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
    const [headers]: IncomingHttpHeaders[] = await once(stream, 'response');
    // Without the symbol that Node.js adds.
    return Object.fromEntries(Object.entries(headers ?? {}));
  }

  async function bodyOf(stream: ClientHttp2Stream): Promise<string> {
    let body = '';
    for await (const chunk of stream) body += String(chunk);
    return body;
  }

  async function granted(head?: OutgoingHttpHeaders): Promise<Opened> {
    const opened = await open(head);
    opened.socket.write(granting(opened));
    await responseOf(opened.stream);
    return opened;
  }

  describe('the request', () => {
    it('is the upgrade that it would be in HTTP/1.1, without pseudo fields', async () => {
      const { req, socket, stream } = await open(
        extendedConnect('/live?a=1', {
          ':authority': 'Shop.test:8443',
          host: 'Shop.test:8443',
          cookie: ['a=1', 'b=2'],
          'sec-websocket-protocol': 'v1, v2',
          'x-own': 'ü',
        }),
      );
      const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, complete, rawHeaders } = req;
      expect({ method, url, httpVersion, httpVersionMajor, httpVersionMinor, complete }).to.deep.equal({
        method: 'GET',
        url: '/live?a=1',
        httpVersion: '2.0',
        httpVersionMajor: 1,
        httpVersionMinor: 1,
        complete: true,
      });
      const key = String(req.headers['sec-websocket-key']);
      expect(Buffer.from(key, 'base64')).to.have.length(16);
      const expected = {
        host: 'Shop.test:8443',
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': key,
        cookie: 'a=1; b=2',
        'sec-websocket-version': '13',
        'sec-websocket-protocol': 'v1, v2',
        'x-own': 'ü',
      };
      expect({ ...req.headers }).to.deep.equal(expected);
      expect(rawHeaders).to.have.members(Object.entries(expected).flat());
      expect(req.socket).to.equal(socket);
      expect(socket.remoteAddress).to.equal('127.0.0.1');
      stream.close();
    });

    it('has a key of its own, whatever the client sends', async () => {
      const given = { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
      const keys = new Set<unknown>();
      for (let i = 0; i < 3; i++) {
        const { req, stream } = await open(extendedConnect('/', given));
        keys.add(req.headers['sec-websocket-key']);
        expect(req.rawHeaders.filter((name) => name === 'sec-websocket-key')).to.have.length(1);
        stream.close();
      }
      expect(keys.size).to.equal(3);
      expect(keys).not.to.include(given['sec-websocket-key']);
    });

    it('keeps a Host that differs from :authority beside it, to be refused for it', async () => {
      const { req, stream } = await open(extendedConnect('/', { ':authority': 'a.test', host: 'b.test' }));
      expect(req.rawHeaders.filter((name) => name === 'host')).to.have.length(2);
      stream.close();
    });

    for (const [title, head, code] of [
      ['a CONNECT as to a proxy', { ':method': 'CONNECT', ':authority': 'a.test:443' }, 'NOT_IMPLEMENTED'],
      ['another protocol', extendedConnect('/', { ':protocol': 'connect-udp' }), 'NOT_IMPLEMENTED'],
      ['another URL as its path', extendedConnect('https://evil.test/', { ':scheme': 'wss' }), 'BAD_REQUEST'],
    ] as const) {
      it(`${title}: ${code}`, async () => expect(await refusal(head)).to.equal(code));
    }

    it('takes the protocol in any case (RFC 9110 section 7.8)', async () => {
      const { req, stream } = await open(extendedConnect('/', { ':protocol': 'WebSocket' }));
      expect(req.headers.upgrade).to.equal('websocket');
      stream.close();
    });
  });

  describe('the response', () => {
    it('101 is 200, without what HTTP/2 does not have', async () => {
      const opened = await open();
      const lines = ['Sec-WebSocket-Protocol: v1', 'Sec-WebSocket-Extensions: permessage-deflate'];
      opened.socket.write(granting(opened, ...lines, 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Own: ü'));
      const headers = await responseOf(opened.stream);
      delete headers.date;
      expect(headers).to.deep.equal({
        ':status': 200,
        'sec-websocket-protocol': 'v1',
        'sec-websocket-extensions': 'permessage-deflate',
        'set-cookie': ['a=1', 'b=2'],
        'x-own': Buffer.from('ü').toString('latin1'),
      });
      opened.stream.close();
    });

    it('may come byte by byte, and what stands behind it is data', async () => {
      const opened = await open();
      for (const byte of Buffer.from(`${granting(opened)}hello`)) opened.socket.write(Buffer.from([byte]));
      opened.socket.end();
      expect(await bodyOf(opened.stream)).to.equal('hello');
      expect(opened.stream.sentHeaders?.[':protocol']).to.equal('websocket');
    });

    it('interim responses are left out', async () => {
      const opened = await open();
      opened.socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${granting(opened)}hello`);
      expect((await responseOf(opened.stream))[':status']).to.equal(200);
      opened.socket.end();
      expect(await bodyOf(opened.stream)).to.equal('hello');
    });

    for (const [title, accept] of [
      ['a wrong', 'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n'],
      ['no', ''],
    ]) {
      it(`a 101 with ${title} Sec-WebSocket-Accept is none: 502`, async () => {
        const { socket, stream, events } = await open();
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n${accept}\r\nrubbish`);
        expect((await responseOf(stream))[':status']).to.equal(502);
        expect(await bodyOf(stream)).to.equal('');
        await until('the close', () => events.includes('close'));
        expect(stream.rstCode).to.equal(NGHTTP2_NO_ERROR);
      });
    }

    it('a refusal has its status, fields and body, and ends the stream', async () => {
      const { socket, stream, events } = await open();
      socket.write('HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nKeep-Alive: timeout=5\r\n');
      socket.write('Upgrade: websocket\r\nRetry-After: 5\r\nVary: a\r\nVary: b\r\n\r\nslow ');
      socket.end('down');
      const headers = await responseOf(stream);
      delete headers.date;
      expect(headers).to.deep.equal({ ':status': 429, 'retry-after': '5', vary: 'a, b' });
      expect(await bodyOf(stream)).to.equal('slow down');
      await until('the close', () => events.includes('close'));
      expect(stream.rstCode).to.equal(NGHTTP2_NO_ERROR);
      expect(events).to.deep.equal(['finish', 'close']);
    });

    it('a refusal without a body', async () => {
      const { socket, stream, events } = await open();
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
      expect((await responseOf(stream))[':status']).to.equal(204);
      expect(await bodyOf(stream)).to.equal('');
      await until('the close', () => events.includes('close'));
      expect(events).not.to.include('error');
    });

    it('a status that HTTP/2 does not have is an error of the gateway', async () => {
      const { socket, stream, events } = await open();
      socket.write('HTTP/1.1 999 Odd\r\n\r\n');
      await until('the reset', () => stream.destroyed);
      expect(stream.rstCode).to.equal(NGHTTP2_INTERNAL_ERROR);
      await until('the close', () => events.includes('close'));
      expect(events).to.deep.equal(['error', 'close']);
    });
  });

  describe('the ends', () => {
    it('both sides may end in good order, the one before the other', async () => {
      for (const first of ['client', 'gateway'] as const) {
        const { socket, stream, events } = await granted();
        let received = '';
        socket.on('data', (chunk) => {
          received += String(chunk);
        });
        if (first === 'client') {
          stream.end('last of the client');
          await until('its end', () => events.includes('end'));
          expect(received).to.equal('last of the client');
          socket.end('last of the gateway');
          expect(await bodyOf(stream)).to.equal('last of the gateway');
        } else {
          socket.end('last of the gateway');
          expect(await bodyOf(stream)).to.equal('last of the gateway');
          stream.end('last of the client');
          await until('its end', () => events.includes('end'));
          expect(received).to.equal('last of the client');
        }
        await until('the close', () => events.includes('close'));
        expect(events).to.have.members(['end', 'finish', 'close']);
        expect(stream.rstCode).to.equal(NGHTTP2_NO_ERROR);
      }
    });

    it('a WebSocket that is cut off is reset with CANCEL (RFC 8441 section 5)', async () => {
      const { socket, stream } = await granted();
      socket.destroy();
      await once(stream, 'close');
      expect(stream.rstCode).to.equal(NGHTTP2_CANCEL);
    });

    it('a request that is cut off without an answer is reset as a failure of the gateway', async () => {
      const { socket, stream } = await open();
      socket.resetAndDestroy();
      await until('the reset', () => stream.destroyed);
      expect(stream.rstCode).to.equal(NGHTTP2_INTERNAL_ERROR);
    });

    it('a gateway that has said all, and waits no longer for the client', async () => {
      const { socket, stream } = await granted();
      socket.end('bye');
      expect(await bodyOf(stream)).to.equal('bye');
      socket.destroy();
      await until('the end of the stream', () => stream.closed);
      expect(stream.rstCode).to.equal(NGHTTP2_NO_ERROR);
    });

    for (const code of [NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR]) {
      for (const when of ['before the answer', 'behind it', 'while nobody reads'] as const) {
        it(`a client that resets with ${code}, ${when}`, async () => {
          const { socket, stream, events } = when === 'before the answer' ? await open() : await granted();
          if (when === 'behind it') socket.resume();
          else if (when === 'while nobody reads') stream.write('x'.repeat(50_000));
          stream.close(code);
          if (when === 'while nobody reads') socket.resume();
          await until('the close', () => events.includes('close'));
          expect(events).not.to.include('error');
          expect(socket.destroyed).to.equal(true);
        });
      }
    }

    it('a client whose connection is gone', async () => {
      const { events, stream } = await granted();
      const closed = once(stream, 'close');
      session.destroy();
      await closed;
      await until('the close', () => events.includes('close'));
      expect(events).to.deep.equal(['close']);
    });

    it('what is written to a stream that is gone fails, and harms nobody', async () => {
      const { socket, stream, events } = await granted();
      stream.close(NGHTTP2_CANCEL);
      const writing = setInterval(() => socket.write('more'), 1);
      await until('the close', () => events.includes('close'));
      clearInterval(writing);
      expect(socket.write('more')).to.equal(false);
    });

    it('a time limit', async () => {
      const { socket, stream } = await granted();
      const timedOut = new Promise<void>((resolve) => {
        socket.setTimeout(5, resolve);
      });
      await timedOut;
      socket.setTimeout(0);
      stream.close();
    });
  });

  describe('the bytes', () => {
    it('any bytes in any pieces arrive, both ways', async () => {
      const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { maxLength: 20 });
      await fc.assert(
        fc.asyncProperty(pieces, pieces, fc.boolean(), async (up, down, corked) => {
          const { socket, stream } = await granted();
          const received: Record<'up' | 'down', Buffer[]> = { up: [], down: [] };
          socket.on('data', (chunk) => received.up.push(chunk));
          stream.on('data', (chunk) => received.down.push(chunk));
          if (corked) socket.cork();
          for (const piece of down) socket.write(piece);
          if (corked) socket.uncork();
          for (const piece of up) stream.write(piece);
          socket.end();
          stream.end();
          await Promise.all([once(socket, 'close'), once(stream, 'close')]);
          expect(Buffer.concat(received.up).equals(Buffer.concat(up))).to.equal(true);
          expect(Buffer.concat(received.down).equals(Buffer.concat(down))).to.equal(true);
          expect(socket.bytesRead).to.equal(Buffer.concat(up).length);
          expect(socket.bytesWritten).to.be.greaterThan(Buffer.concat(down).length);
        }),
        { numRuns: 30 },
      );
    });

    it('a client that reads nothing stops what is written, and another stream goes on', async () => {
      const slow = await granted();
      const other = await granted();
      other.socket.pipe(other.socket);
      const chunk = Buffer.alloc(16_384);
      let written = 0;
      const write = () => {
        while (slow.socket.write(chunk)) written += chunk.length;
        written += chunk.length;
        slow.socket.once('drain', write);
      };
      write();
      expect(await untilSteady(() => written, 100)).to.be.lessThan(500_000);
      other.stream.end('still here');
      expect(await bodyOf(other.stream)).to.equal('still here');
      slow.socket.removeAllListeners('drain');
      let received = 0;
      slow.stream.on('data', (bytes: Buffer) => {
        received += bytes.length;
      });
      await until('all of it', () => received === written);
      slow.socket.destroy();
    });

    it('a gateway that reads nothing stops the client, and another stream goes on', async () => {
      const slow = await granted();
      const other = await granted();
      other.socket.pipe(other.socket);
      const chunk = Buffer.alloc(16_384);
      let sent = 0;
      const send = () =>
        slow.stream.write(chunk, (error) => {
          if (error) return;
          sent += chunk.length;
          send();
        });
      // Read once, so that the stream flows until there is no room.
      slow.socket.read(0);
      send();
      expect(await untilSteady(() => sent, 100)).to.be.lessThan(500_000);
      other.stream.end('x'.repeat(100_000));
      expect(await bodyOf(other.stream)).to.have.length(100_000);
      const before = sent;
      slow.socket.resume();
      await until('more of it', () => sent > before + 1_000_000);
      slow.stream.close(NGHTTP2_CANCEL);
    });
  });
});
