import net from 'node:net';
import { ResponseReader } from './response-reader.js';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** Complete requests, sent in turn. */
  readonly requests: readonly Buffer[];
  /** What every response body must measure; every status must be 200. */
  readonly responseBytes: number | 'any';
  /** The request to begin with; they are sent in turn from there. */
  readonly first?: number;
}

const READ_BUFFER_BYTES = 64 * 1024;
const TIME_LIMIT_MS = 60_000;

/**
 * A closed loop of keep-alive connections to 127.0.0.1, each with one request under way. It speaks raw sockets with
 * requests built beforehand, so that it takes far less CPU than what it measures.
 */
export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #sockets: net.Socket[] = [];
  /** One for all connections: what was read is consumed before the next read. */
  readonly #readBuffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
  #sent = 0;
  #unsent = 0;
  #unanswered = 0;
  #settle: ((failure?: Error) => void) | undefined;
  #failure: Error | undefined;

  private constructor(options: LoadOptions) {
    this.#options = options;
    this.#sent = options.first ?? 0;
  }

  /** @throws Error when a connection is refused */
  static async connect(options: LoadOptions): Promise<LoadGenerator> {
    const load = new LoadGenerator(options);
    try {
      await Promise.all(Array.from({ length: options.connections }, () => load.#connect()));
    } catch (error) {
      load.close();
      throw error;
    }
    return load;
  }

  /**
   * Sends `count` requests and waits for all their answers.
   *
   * @returns seconds it took
   * @throws Error for a wrong answer, a closed connection, or after 60 s
   */
  async run(count: number): Promise<number> {
    this.#unsent = this.#unanswered = count;
    const started = performance.now();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(`${this.#unanswered} of ${count} requests without an answer after ${TIME_LIMIT_MS} ms`);
      }, TIME_LIMIT_MS);
      this.#settle = (failure) => {
        clearTimeout(timer);
        this.#settle = undefined;
        if (failure) reject(failure);
        else resolve();
      };
      if (this.#failure) this.#settle(this.#failure);
      else for (const socket of this.#sockets) this.#sendNext(socket);
    });
    return (performance.now() - started) / 1000;
  }

  /** How many requests were sent, those before the first of {@link LoadOptions} included. */
  get sent(): number {
    return this.#sent;
  }

  close(): void {
    for (const socket of this.#sockets) socket.removeAllListeners('close').destroy();
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const reader = new ResponseReader((status, bodyBytes) => this.#onResponse(socket, status, bodyBytes));
      const socket = net.connect({
        port: this.#options.port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer: this.#readBuffer,
          callback: (size, buffer) => this.#onRead(reader, buffer, size),
        },
      });
      this.#sockets.push(socket);
      socket.once('connect', resolve);
      socket.on('error', (error) => {
        reject(error);
        this.#fail(error.message);
      });
      socket.on('close', () => this.#fail('the connection was closed'));
    });
  }

  #onRead(reader: ResponseReader, buffer: Uint8Array, size: number): boolean {
    try {
      reader.read(Buffer.from(buffer.buffer, buffer.byteOffset, size));
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    return true;
  }

  #onResponse(socket: net.Socket, status: number, bodyBytes: number): void {
    const { responseBytes } = this.#options;
    if (status !== 200 || (responseBytes !== 'any' && bodyBytes !== responseBytes)) {
      this.#fail(`status ${status} with ${bodyBytes} bytes, not 200 with ${responseBytes}`);
      return;
    }
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#settle?.();
    else this.#sendNext(socket);
  }

  #sendNext(socket: net.Socket): void {
    if (this.#unsent === 0) return;
    this.#unsent -= 1;
    const { requests } = this.#options;
    const request = requests[this.#sent % requests.length];
    this.#sent += 1;
    if (request) socket.write(request);
  }

  #fail(message: string): void {
    this.#unsent = 0;
    this.#failure ??= new Error(message);
    this.#settle?.(this.#failure);
  }
}
