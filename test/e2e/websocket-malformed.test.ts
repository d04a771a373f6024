import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { openClient, startWebSocketUpstream, type WebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { RawConnection } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { type RawUpstream, startRawUpstream } from '../support/upstream.js';
import {
  closeCodeOf,
  expected,
  FRAMES,
  HANDSHAKE,
  HANDSHAKES,
  UPSTREAMS,
} from './websocket-malformed-rows.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const LIMITS = { maxMessage: '100kb', maxUpstreamMessage: '100kb' };

/** The code of the first close behind a response's head. */
function closeCode(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  return end === -1 ? undefined : closeCodeOf(bytes.subarray(end + 4));
}

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`malformed handshakes and frames of clients, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;

    before(async () => {
      upstream = await startWebSocketUpstream(undefined, { maxPayload: 100 * 1024 });
      // The service knows no other protocol.
      const [granting] = upstream.server.listeners('upgrade');
      upstream.server.removeAllListeners('upgrade');
      upstream.server.on('upgrade', (req, socket, head) => {
        if (req.headers.upgrade === 'websocket') granting?.call(upstream.server, req, socket, head);
        else socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      });
      gateway = await startGateway(
        { services: { a: service(upstream.url) }, plugins: [{ 'ws-proxy': { mode, ...LIMITS } }] },
        { catalogue },
      );
    });

    after(async () => {
      await gateway.stop();
      await upstream.close();
    });

    afterEach(async () => {
      const target = gateway.gateway.services.get('a')?.targets[0];
      await until('nothing under way', () => target?.active === 0);
      const listed: unknown = await (await fetch(`${gateway.url}/api/v1/gateway/websockets`)).json();
      expect(listed).to.include({ total: 0 });
      const { socket, seen } = await openClient(`${gateway.url}/ws/a/x`);
      socket.send('still works');
      await until('the echo', () => seen.texts[0] === 'still works');
      socket.terminate();
      await until('nothing under way', () => target?.active === 0);
    });

    for (const { title, bytes, status, field } of HANDSHAKES) {
      it(`${title}: ${expected(status, mode)}`, async () => {
        const before = upstream.accepted.length;
        const connection = await RawConnection.open(gateway.port);
        connection.send(bytes);
        const { responses } = await connection.responses(1);
        expect(responses.map((response) => response.status)).to.deep.equal([expected(status, mode)]);
        if (field !== undefined && mode === 'managed')
          expect(responses[0]?.header(field[0])).to.equal(field[1]);
        expect(upstream.accepted.length).to.equal(before);
        connection.socket.end();
        await connection.closure();
        connection.destroy();
      });
    }

    for (const { title, bytes, code } of FRAMES) {
      for (const how of ['behind the 101', 'with the handshake', 'byte by byte'] as const) {
        it(`${title}, ${how}: ${expected(code, mode)}`, async () => {
          const connection = await RawConnection.open(gateway.port);
          if (how === 'with the handshake') connection.send(Buffer.concat([Buffer.from(HANDSHAKE), bytes]));
          else {
            connection.send(HANDSHAKE);
            await connection.received('\r\n\r\n');
            if (how === 'behind the 101' || bytes.length > 1000) connection.send(bytes);
            else for (const byte of bytes) connection.send(Buffer.from([byte]));
          }
          const all = () => Buffer.from(connection.text, 'latin1');
          await until('the close', () => closeCode(all()) !== undefined || connection.closed);
          expect(closeCode(all())).to.equal(expected(code, mode));
          connection.socket.end();
          await until('the end', () => connection.closed);
          connection.destroy();
        });
      }
    }
  });
}

describe('what services do wrong', () => {
  let upstream: RawUpstream;
  let gateway: RunningGateway;
  let answer: (accept: string) => string | Buffer;

  before(async () => {
    upstream = await startRawUpstream((socket) => {
      let head = '';
      socket.on('data', (chunk) => {
        if (head.includes('\r\n\r\n')) return;
        head += chunk.toString('latin1');
        const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '';
        if (head.includes('\r\n\r\n'))
          socket.end(
            answer(
              createHash('sha1')
                .update(key + GUID)
                .digest('base64'),
            ),
          );
      });
    });
    const options = { ...LIMITS, reconnect: { enabled: false } };
    gateway = await startGateway(
      {
        services: {
          managed: service(upstream.url),
          tunnel: service(upstream.url, { plugins: { 'ws-proxy': { ...LIMITS, mode: 'tunnel' } } }),
        },
        plugins: [{ 'ws-proxy': options }],
      },
      { catalogue },
    );
  });

  after(async () => {
    await gateway.stop();
    await upstream.close();
  });

  for (const row of UPSTREAMS) {
    it(`${row.title}: ${row.managed} for the client`, async () => {
      answer = row.answer;
      const connection = await RawConnection.open(gateway.port);
      connection.send(HANDSHAKE.replace('/ws/a/', '/ws/managed/'));
      await until(
        'the end',
        () => connection.closed || closeCode(Buffer.from(connection.text, 'latin1')) !== undefined,
      );
      if (row.managed < 1000) {
        expect(connection.result.responses.map(({ status }) => status)).to.deep.equal([row.managed]);
      } else {
        expect(closeCode(Buffer.from(connection.text, 'latin1'))).to.equal(row.managed);
      }
      connection.destroy();
      await until(
        'nothing under way',
        () => gateway.gateway.services.get('managed')?.targets[0]?.active === 0,
      );
      await until('no connection at the service', () => upstream.openSockets() === 0);
    });

    it(`${row.title}: a tunnel ends too`, async () => {
      answer = row.answer;
      const connection = await RawConnection.open(gateway.port);
      connection.send(HANDSHAKE.replace('/ws/a/', '/ws/tunnel/'));
      await until('the end', () => connection.closed);
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(connection.text)?.[1]);
      const answered = Number(
        /^HTTP\/1\.1 (\d{3}) .*\r\n.*\r\n/.exec(row.answer('x').toString('latin1'))?.[1] ?? 502,
      );
      expect(status).to.equal(connection.text.includes('"BAD_GATEWAY"') ? 502 : answered);
      if (row.managed < 500 && row.managed !== 204) expect(status).to.equal(row.managed);
      connection.destroy();
      await until(
        'nothing under way',
        () => gateway.gateway.services.get('tunnel')?.targets[0]?.active === 0,
      );
      await until('no connection at the service', () => upstream.openSockets() === 0);
    });
  }
});
