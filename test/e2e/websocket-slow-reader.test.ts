import { once } from 'node:events';
import { expect } from 'chai';
import type { WebSocket } from 'ws';
import {
  openClient,
  silent,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from '../plugins/ws-proxy/sockets.js';
import { service } from '../support/gateway.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { until, untilSteady } from '../support/until.js';

const MESSAGE = 8 * 1024;
const CONNECTIONS = 20;
/** What the operating system may keep in its socket buffers, of each of the two connections. */
const KERNEL = 16 * 1024 * 1024;
/** What the gateway's memory may grow by: far less than what was sent. */
const MOST_GROWTH = 64 * 1024 * 1024;

/** Sends numbered messages as fast as they are taken, until it is stopped. */
class Sender {
  sent = 0;
  #stopped = false;

  constructor(socket: WebSocket) {
    const send = () => {
      while (!this.#stopped && socket.bufferedAmount < 4 * MESSAGE) {
        const message = Buffer.alloc(MESSAGE);
        message.writeUInt32BE(this.sent++);
        socket.send(message);
      }
      if (!this.#stopped) setImmediate(send);
    };
    send();
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** Counts messages, and notes the first that is out of order. */
class Receiver {
  received = 0;
  wrong: number | undefined;

  constructor(socket: WebSocket) {
    socket.on('message', (data) => {
      if (Buffer.isBuffer(data) && data.readUInt32BE() !== this.received) this.wrong ??= this.received;
      this.received++;
    });
  }
}

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`a slow reader and a fast sender, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: GatewayProcess;

    beforeEach(async () => {
      upstream = await startWebSocketUpstream(silent);
      gateway = await startGatewayProcess({
        services: { a: service(upstream.url) },
        plugins: [{ './plugins/ws-proxy/index.ts': { mode, heartbeat: { interval: 0 } } }],
      });
    });

    afterEach(async () => {
      await gateway.stop();
      await upstream.close();
    });

    for (const slow of ['client', 'service'] as const) {
      it(`a ${slow} that reads nothing stops the other side, and costs no memory; later it gets everything`, async () => {
        const url = `http://127.0.0.1:${gateway.port}/ws/a/live`;
        const pairs: { reader: WebSocket; sender: Sender; receiver: Receiver }[] = [];
        const before = await gateway.memory();
        for (let i = 0; i < CONNECTIONS; i++) {
          const { socket } = await openClient(url);
          await until('the connection', () => upstream.accepted.length === i + 1);
          const taken = upstream.accepted[i]?.socket;
          if (taken === undefined) throw new Error('The service has no connection');
          const [reader, writer] = slow === 'client' ? [socket, taken] : [taken, socket];
          reader.pause();
          pairs.push({ reader, sender: new Sender(writer), receiver: new Receiver(reader) });
        }
        const total = () => pairs.reduce((sum, { sender }) => sum + sender.sent, 0);
        const sent = (await untilSteady(total, 500, 20_000)) * MESSAGE;
        expect(sent).to.be.lessThan(CONNECTIONS * KERNEL);
        const growth = (await gateway.memory()) - before;
        expect(growth, `of ${sent} bytes sent`).to.be.lessThan(MOST_GROWTH);
        for (const { reader, sender } of pairs) {
          sender.stop();
          reader.resume();
        }
        await until(
          'everything',
          () => pairs.every(({ sender, receiver }) => receiver.received === sender.sent),
          15_000,
        );
        expect(pairs.map(({ receiver }) => receiver.wrong)).to.deep.equal(pairs.map(() => undefined));
        for (const { reader } of pairs) {
          const closed = once(reader, 'close');
          reader.close();
          await closed;
        }
      }).timeout(60_000);
    }
  });
}
