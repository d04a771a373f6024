import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

/** The parts of WebSocket-Node that are used here. */
interface PeerModule {
  readonly server: new (
    options: object,
  ) => {
    on(event: 'connect', listener: (connection: PeerConnection) => void): void;
    shutDown(): void;
  };
}
interface PeerConnection {
  on(event: 'message', listener: (message: PeerMessage) => void): void;
  sendUTF(text: string): void;
  sendBytes(bytes: Buffer): void;
}
type PeerMessage =
  | { readonly type: 'utf8'; readonly utf8Data: string }
  | { readonly type: 'binary'; readonly binaryData: Buffer };

const LARGEST = 16 * 2 ** 20;

/**
 * Starts an echo server that shares no code with the gateway: WebSocket-Node's. Codec.load() installs it.
 *
 * It is laxer than `ws`: it takes unmasked frames, and answers every close with 1000.
 */
export async function startOtherEcho(): Promise<{ readonly url: string; close(): void }> {
  const require = createRequire(new URL('./package.json', import.meta.url));
  const { server: PeerServer }: PeerModule = require('websocket');
  const httpServer = createServer((_req, res) => res.end());
  const webSockets = new PeerServer({
    httpServer,
    autoAcceptConnections: true,
    maxReceivedFrameSize: LARGEST,
    maxReceivedMessageSize: LARGEST,
  });
  webSockets.on('connect', (connection) => {
    connection.on('message', (message) => {
      if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
      else connection.sendBytes(message.binaryData);
    });
  });
  await new Promise<void>((resolve) => httpServer.listen(0, '127.0.0.1', resolve));
  const { port } = httpServer.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      webSockets.shutDown();
      httpServer.closeAllConnections();
      httpServer.close();
    },
  };
}
