import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Codec } from './codec.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A server that sends every frame back as it came and checks nothing: what the client must not pass. */
export async function startSloppyServer(codec: Codec): Promise<{ readonly url: string; close(): void }> {
  const server = createServer();
  server.on('upgrade', (req, socket) => {
    const key = req.headers['sec-websocket-key'] ?? '';
    const accept = createHash('sha1').update(key).update(GUID).digest('base64');
    socket.on('error', () => socket.destroy());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const read = codec.reader(
      ({ opcode, fin, rsv, payload }) => {
        socket.write(codec.encode({ opcode, fin, rsv, payload, mask: false }));
      },
      () => undefined,
    );
    socket.on('data', read);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close();
    },
  };
}
