import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Case, type Chop, CONTINUATION, PONG, type Step } from './case.js';
import type { Codec, FrameToSend } from './codec.js';
import { Compression } from './compression.js';
import { Receiver } from './receiver.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The client's end of one connection: TCP, the opening handshake, and what a case does with it. */
export class ConformanceClient {
  readonly received: Receiver;
  /** What the server agreed to of the compression on offer; undefined where it did not. */
  readonly agreed: string | undefined;
  /** The end of TCP has come. */
  ended = false;
  readonly #codec: Codec;
  readonly #socket: Socket;
  readonly #compression: Compression | undefined;
  #wake: () => void = () => undefined;

  private constructor(
    codec: Codec,
    socket: Socket,
    compression: Compression | undefined,
    agreed: string | undefined,
  ) {
    this.#codec = codec;
    this.#socket = socket;
    this.agreed = agreed;
    this.#compression = agreed === undefined ? undefined : compression;
    const changed = () => this.#wake();
    this.received = new Receiver(this.#compression, changed, (payload) =>
      this.send({ opcode: PONG, payload }),
    );
    socket.on('close', () => {
      this.ended = true;
      changed();
    });
  }

  /**
   * Connects and makes the opening handshake (RFC 6455 section 4.1).
   *
   * @param deflate options of the compression to offer; none is offered without
   * @throws Error when the server does not agree to it as it has to
   */
  static async open(codec: Codec, url: URL, deflate: object | undefined): Promise<ConformanceClient> {
    const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true });
    await once(socket, 'connect');
    // Its close says all that there is to know.
    socket.on('error', () => undefined);
    const compression = deflate === undefined ? undefined : new Compression(codec, deflate);
    const key = randomBytes(16).toString('base64');
    const offer = compression === undefined ? '' : `Sec-WebSocket-Extensions: ${compression.offer}\r\n`;
    socket.write(
      `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${offer}\r\n`,
    );
    const { head, rest } = await responseHead(socket);
    const accept = createHash('sha1').update(key).update(GUID).digest('base64');
    if (!head.startsWith('HTTP/1.1 101 ') || field(head, 'sec-websocket-accept') !== accept) {
      throw new Error(`The opening handshake failed: ${head}`);
    }
    const answer = field(head, 'sec-websocket-extensions');
    if (answer !== undefined && compression === undefined) throw new Error(`Nobody asked for ${answer}`);
    const agreed = answer === undefined ? undefined : compression?.agree(answer);
    const client = new ConformanceClient(codec, socket, compression, agreed);
    const read = codec.reader(
      (frame) => client.received.frame(frame),
      (reason) => client.received.note(`wrong: ${reason}`),
    );
    read(rest);
    socket.on('data', read).resume();
    return client;
  }

  /** Does what the case says, without its close. */
  async perform({ steps, chop = 'together' }: Case, deadline: number): Promise<void> {
    let waiting: Buffer[] = [];
    const flush = async () => {
      await this.#write(waiting, chop);
      waiting = [];
    };
    for (const step of steps) {
      if ('events' in step) {
        await flush();
        await this.until(() => this.received.events.length >= step.events, deadline);
      } else if ('pause' in step) {
        await flush();
        await this.until(() => false, performance.now() + step.pause);
        if (step.event !== undefined && !this.finished) this.received.note(step.event);
      } else {
        waiting.push(...(await this.#bytes(step)));
      }
    }
    await flush();
  }

  send(frame: FrameToSend): void {
    this.#socket.write(this.#codec.encode(frame));
  }

  /** A close or the end of TCP has come. */
  get finished(): boolean {
    return this.ended || this.received.closeCode !== undefined;
  }

  /** Waits until something holds, the connection has ended, or it is too late. */
  async until(condition: () => boolean, deadline: number): Promise<void> {
    for (;;) {
      const left = deadline - performance.now();
      if (condition() || this.finished || left <= 0) return;
      await this.#change(left);
    }
  }

  /** Waits for the end of TCP, which is the server's to bring about (RFC 6455 section 7.1.1). */
  async untilEnd(deadline: number): Promise<void> {
    while (!this.ended && performance.now() < deadline) await this.#change(deadline - performance.now());
  }

  destroy(): void {
    this.#socket.destroy();
    this.#compression?.close();
  }

  #change(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #bytes(step: Exclude<Step, { events: number } | { pause: number }>): Promise<Buffer[]> {
    if ('raw' in step) return [step.raw];
    if (!('compress' in step)) return [this.#codec.encode(step)];
    const { opcode, compress, fragment = Number.POSITIVE_INFINITY } = step;
    const compression = this.#compression;
    const payload = compression === undefined ? compress : await compression.deflated(compress);
    const frames: Buffer[] = [];
    for (let i = 0; i === 0 || i < payload.length; i += fragment) {
      frames.push(
        this.#codec.encode({
          opcode: i === 0 ? opcode : CONTINUATION,
          payload: payload.subarray(i, i + fragment),
          fin: i + fragment >= payload.length,
          rsv: i === 0 && compression !== undefined ? 4 : 0,
        }),
      );
    }
    return frames;
  }

  async #write(frames: readonly Buffer[], chop: Chop): Promise<void> {
    if (frames.length === 0) return;
    if (chop === 'together') {
      this.#socket.write(Buffer.concat(frames));
      return;
    }
    const size = chop === 'frames' ? Number.POSITIVE_INFINITY : chop;
    const parts = chop === 'frames' ? frames : [Buffer.concat(frames)];
    for (const part of parts) {
      for (let i = 0; i < part.length && !this.ended; i += size) {
        this.#socket.write(part.subarray(i, i + size));
        // Without Nagle's algorithm, a turn of the event loop each makes packets of them.
        await new Promise(setImmediate);
      }
    }
  }
}
function field(head: string, name: string): string | undefined {
  const line = head.split('\r\n').find((each) => each.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}

async function responseHead(socket: Socket): Promise<{ readonly head: string; readonly rest: Buffer }> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end !== -1) return { head: bytes.toString('latin1', 0, end), rest: bytes.subarray(end + 4) };
    const chunk: unknown = await new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => {
        socket.off('data', onData).off('close', onClose).pause();
        outcome();
      };
      const onData = (data: Buffer) => settle(() => resolve(data));
      const onClose = () => settle(() => reject(new Error('Closed during the opening handshake')));
      socket.on('data', onData).on('close', onClose).resume();
    });
    if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk]);
  }
}
