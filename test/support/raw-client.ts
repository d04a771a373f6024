import { connect, type Socket } from 'node:net';
import { parseResponses, type RawResponse } from './raw-response.js';
import { until } from './until.js';

/** What came back on a connection. */
export interface RawResult {
  readonly bytes: Buffer;
  /** Final responses, in order; the last one may be incomplete. */
  readonly responses: readonly RawResponse[];
  /** Interim responses (1xx), in order. */
  readonly interim: readonly RawResponse[];
  /** The peer ended or reset the connection. */
  readonly closed: boolean;
}

/** A TCP connection on which exact bytes are sent, and whose answers are parsed strictly. */
export class RawConnection {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #closed = false;
  /** Methods of the requests sent, in order: the answer to a HEAD has no body. */
  readonly #methods: readonly string[];

  private constructor(socket: Socket, methods: readonly string[]) {
    this.socket = socket;
    this.#methods = methods;
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.#closed = true;
    });
    socket.on('close', () => {
      this.#closed = true;
    });
  }

  /** Connects to 127.0.0.1. */
  static async open(port: number, methods: readonly string[] = []): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawConnection(socket, methods);
  }

  /** Uses a connection that is there already, for example one over TLS. */
  static over(socket: Socket, methods: readonly string[] = []): RawConnection {
    return new RawConnection(socket, methods);
  }

  /** Text is sent as latin1, so that any byte can be written. */
  send(bytes: string | Buffer): void {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1');
    else this.socket.write(bytes);
  }

  /** What has come so far. Throws when it is no strictly valid HTTP/1.1. */
  get result(): RawResult {
    const all = parseResponses(this.#bytes, { methods: this.#methods, ended: this.#closed });
    return {
      bytes: this.#bytes,
      responses: all.filter((response) => response.status >= 200),
      interim: all.filter((response) => response.status < 200),
      closed: this.#closed,
    };
  }

  /** All that has come so far, as latin1 text. */
  get text(): string {
    return this.#bytes.toString('latin1');
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Waits until `count` final responses have come in full, or the peer has closed. */
  async responses(count: number, limit = 3000): Promise<RawResult> {
    await until(
      `${count} responses; so far ${JSON.stringify(this.text.slice(0, 200))}`,
      () => this.#closed || this.result.responses.filter((response) => response.complete).length >= count,
      limit,
    );
    return this.result;
  }

  /** Waits until the peer has closed the connection. */
  async closure(limit = 3000): Promise<RawResult> {
    await until('the peer to close the connection', () => this.#closed, limit);
    return this.result;
  }

  /** Waits until this text has come. */
  async received(text: string, limit = 3000): Promise<void> {
    await until(`"${text}"`, () => this.text.includes(text), limit);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** What {@link sendRaw} waits for. */
export interface SendOptions {
  /** Methods of the requests, where one is a HEAD. */
  readonly methods?: readonly string[];
  /** Milliseconds to wait at most. */
  readonly limit?: number;
}

/**
 * Sends bytes on a connection of its own and waits for the peer to close it: the last request in `bytes` has to ask
 * for that, or be refused.
 */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  options: SendOptions = {},
): Promise<RawResult> {
  const connection = await RawConnection.open(port, options.methods);
  try {
    connection.send(bytes);
    return await connection.closure(options.limit);
  } finally {
    connection.destroy();
  }
}

/**
 * Sends one request on a connection of its own and gives its response.
 *
 * @param fields header lines; `Host` and `Connection: close` are added
 */
export async function request(
  port: number,
  method: string,
  target: string,
  fields: readonly string[] = [],
  body = '',
): Promise<RawResponse> {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: gateway.test',
    ...fields,
    'Connection: close',
    '',
    body,
  ];
  const { responses } = await sendRaw(port, lines.join('\r\n'), { methods: [method] });
  const response = responses[0];
  if (response === undefined || responses.length !== 1) {
    throw new Error(`Expected one response to ${method} ${target}, got ${responses.length}`);
  }
  return response;
}
