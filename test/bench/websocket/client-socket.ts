import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const HANDSHAKE_LIMIT_MS = 30_000;
/** Loopback addresses that connections come from, in turn: each has some 28,000 ports. */
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];

/**
 * Opens a WebSocket (RFC 6455 section 4.1) as a raw socket, for a load generator that costs little.
 *
 * @param index of the connection
 * @param onData gets what comes behind the handshake; its bytes are overwritten by the next read
 * @param readBuffer may be shared by all connections
 * @throws Error when it is refused, or takes more than 30 s
 */
export async function openWebSocket(
  port: number,
  path: string,
  index: number,
  onData: (chunk: Buffer) => void,
  readBuffer: Buffer,
): Promise<net.Socket> {
  const key = randomBytes(16).toString('base64');
  let head = '';
  let open = false;
  let settle: (failure?: Error) => void = () => undefined;
  const onRead = (length: number, buffer: Uint8Array): boolean => {
    const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    if (open) {
      onData(chunk);
      return true;
    }
    head += chunk.toString('latin1');
    if (!head.includes('\r\n\r\n')) return true;
    open = true;
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    const right = head.startsWith('HTTP/1.1 101 ') && head.includes(accept) && head.endsWith('\r\n\r\n');
    settle(right ? undefined : new Error(`The WebSocket was not opened: ${head.slice(0, 200)}`));
    return true;
  };
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    localAddress: ADDRESSES[index % ADDRESSES.length] ?? '127.0.0.1',
    noDelay: true,
    onread: { buffer: readBuffer, callback: onRead },
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error('The WebSocket did not open')), HANDSHAKE_LIMIT_MS);
    const onClose = () => settle(new Error('Closed before the WebSocket was open'));
    settle = (failure) => {
      clearTimeout(timer);
      socket.off('error', settle).off('close', onClose);
      if (failure === undefined) resolve();
      else reject(failure);
    };
    socket.on('error', settle).on('close', onClose);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
  });
  return socket;
}
