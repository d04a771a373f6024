import type net from 'node:net';
import { openWebSocket } from './client-socket.js';
import type { MessageWorkload } from './workloads.js';

const READ_BUFFER_BYTES = 64 * 1024;
const TIME_LIMIT_MS = 60_000;
const LENGTH_16 = 126;

/** One connection: what is still to come of the answer under way. */
interface Connection {
  socket: net.Socket | undefined;
  missing: number;
}

/**
 * A closed loop of WebSockets, each with one message under way, which the echo server sends back. Frames are built
 * beforehand and answers are counted, so that it takes far less CPU than what it measures.
 */
export class MessageLoad {
  readonly #connections: Connection[] = [];
  readonly #frame: Buffer;
  /** What an answer begins with. */
  readonly #answerHead: Buffer;
  readonly #answerBytes: number;
  /** One for all connections: what was read is consumed before the next read. */
  readonly #readBuffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
  #unsent = 0;
  #unanswered = 0;
  #settle: ((failure?: Error) => void) | undefined;
  #failure: Error | undefined;

  private constructor({ opcode, bytes }: MessageWorkload) {
    const payload = Buffer.alloc(bytes, 'x');
    this.#answerHead = frameHead(opcode, bytes, false);
    this.#answerBytes = this.#answerHead.length + bytes;
    // A mask of zeros is a mask (RFC 6455 section 5.3): the receiver's work is the same.
    this.#frame = Buffer.concat([frameHead(opcode, bytes, true), Buffer.alloc(4), payload]);
  }

  /** @throws Error when a connection is refused */
  static async connect(
    workload: MessageWorkload,
    port: number,
    path: string,
    connections: number,
  ): Promise<MessageLoad> {
    const load = new MessageLoad(workload);
    try {
      await Promise.all(Array.from({ length: connections }, (_, index) => load.#connect(port, path, index)));
    } catch (error) {
      load.close();
      throw error;
    }
    return load;
  }

  /**
   * Sends `count` messages and waits until all of them are back.
   *
   * @returns seconds it took
   * @throws Error for a wrong answer, a closed connection, or after 60 s
   */
  async run(count: number): Promise<number> {
    this.#unsent = this.#unanswered = count;
    const started = performance.now();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(`${this.#unanswered} of ${count} messages without an answer after ${TIME_LIMIT_MS} ms`);
      }, TIME_LIMIT_MS);
      this.#settle = (failure) => {
        clearTimeout(timer);
        this.#settle = undefined;
        if (failure) reject(failure);
        else resolve();
      };
      if (this.#failure) this.#settle(this.#failure);
      else for (const connection of this.#connections) this.#sendNext(connection);
    });
    return (performance.now() - started) / 1000;
  }

  close(): void {
    for (const { socket } of this.#connections) socket?.removeAllListeners('close').destroy();
  }

  async #connect(port: number, path: string, index: number): Promise<void> {
    const connection: Connection = { socket: undefined, missing: 0 };
    const onData = (chunk: Buffer) => this.#onData(connection, chunk);
    const socket = await openWebSocket(port, path, index, onData, this.#readBuffer);
    socket.on('error', () => undefined).on('close', () => this.#fail('a connection was closed'));
    connection.socket = socket;
    this.#connections.push(connection);
  }

  #sendNext(connection: Connection): void {
    if (this.#unsent === 0) return;
    this.#unsent -= 1;
    connection.missing = this.#answerBytes;
    connection.socket?.write(this.#frame);
  }

  #onData(connection: Connection, chunk: Buffer): void {
    const { missing } = connection;
    const startsRight = missing !== this.#answerBytes || chunk[0] === this.#answerHead[0];
    if (!startsRight || chunk.length > missing) {
      this.#fail(`a wrong answer: ${chunk.subarray(0, 20).toString('hex')}`);
      return;
    }
    connection.missing = missing - chunk.length;
    if (connection.missing > 0) return;
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#settle?.();
    else this.#sendNext(connection);
  }

  #fail(message: string): void {
    this.#failure ??= new Error(message);
    this.#settle?.(this.#failure);
  }
}

/** FIN, opcode and a length of up to 65,535 (RFC 6455 section 5.2). */
function frameHead(opcode: number, bytes: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  if (bytes < LENGTH_16) return Buffer.from([0x80 | opcode, mask | bytes]);
  return Buffer.from([0x80 | opcode, mask | LENGTH_16, bytes >> 8, bytes & 255]);
}
