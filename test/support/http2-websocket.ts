import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { ClientOptions } from 'ws';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Fields of an HTTP/1.1 request that HTTP/2 has other means for. */
const NOT_IN_HTTP2 = new Set(['host', 'connection', 'upgrade', 'sec-websocket-key']);

type Callback = (error?: Error | null) => void;

/** An HTTP/2 session with a gateway on this machine, whose settings have arrived. */
export async function openSession(port: number, ca: Buffer): Promise<ClientHttp2Session> {
  const session = connect(`https://localhost:${port}`, { ca });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  return session;
}

/** Options by which the WebSocket of `ws` opens its connection on a session, and a way to what it has opened. */
export function over(session: ClientHttp2Session): {
  options: ClientOptions;
  connection: () => Http2Connection;
} {
  let latest: Http2Connection | undefined;
  return {
    options: {
      createConnection: () => {
        latest = new Http2Connection(session);
        // `ws` asks for no more than a Duplex.
        return latest as Duplex as Socket;
      },
    },
    connection() {
      if (latest === undefined) throw new Error('No connection was opened on the session');
      return latest;
    },
  };
}

/** The head of an extended CONNECT for a WebSocket (RFC 8441 section 5); `undefined` takes a field out. */
export function extendedConnect(path: string, fields: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  return {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': path,
    'sec-websocket-version': '13',
    ...fields,
  };
}

/**
 * A connection for an HTTP/1.1 client, such as the WebSocket of `ws` with its option `createConnection`: the upgrade request that
 * is written to it becomes an extended CONNECT on the session, and its answer that of HTTP/1.1.
 */
export class Http2Connection extends Duplex {
  readonly #session: ClientHttp2Session;
  /** Undefined until it was requested. */
  stream: ClientHttp2Stream | undefined;
  /** The answer. */
  headers: IncomingHttpHeaders = {};
  #head = '';
  #key = '';

  constructor(session: ClientHttp2Session) {
    super();
    this.#session = session;
  }

  override _read(): void {
    this.stream?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    if (this.stream !== undefined) {
      this.stream.write(chunk, callback);
      return;
    }
    this.#head += chunk.toString('latin1');
    if (this.#head.includes('\r\n\r\n')) this.#request();
    callback();
  }

  override _writev(chunks: { readonly chunk: Buffer }[], callback: Callback): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'latin1', callback);
  }

  override _final(callback: Callback): void {
    if (this.stream === undefined || this.stream.writableEnded) callback();
    else this.stream.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { stream } = this;
    if (stream !== undefined && !stream.closed)
      stream.close(stream.writableFinished ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    stream?.resume();
    callback(error);
  }

  #request(): void {
    const [line = '', ...lines] = this.#head.split('\r\n').filter((each) => each !== '');
    const fields: Record<string, string | string[]> = {};
    for (const each of lines) {
      const name = each.slice(0, each.indexOf(':')).toLowerCase();
      const value = each.slice(each.indexOf(':') + 1).trim();
      if (name === 'sec-websocket-key') this.#key = value;
      if (!NOT_IN_HTTP2.has(name)) fields[name] = value;
    }
    const stream = this.#session.request(extendedConnect(line.split(' ')[1] ?? '', fields), {
      endStream: false,
    });
    this.stream = stream;
    stream.on('response', (headers) => {
      this.headers = headers;
      this.push(this.#answer(headers));
      stream.on('data', (chunk: Buffer) => {
        if (!this.destroyed && !this.push(chunk)) stream.pause();
      });
      stream.on('end', () => {
        if (!this.destroyed && stream.rstCode === 0) this.push(null);
      });
    });
    stream.on('error', () => this.destroy());
    stream.on('close', () => {
      if (stream.rstCode !== 0) this.destroy();
    });
  }

  #answer(headers: IncomingHttpHeaders & { ':status'?: number | undefined }): string {
    const status = headers[':status'] === 200 ? 101 : (headers[':status'] ?? 0);
    const accept = createHash('sha1').update(`${this.#key}${GUID}`).digest('base64');
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`];
    if (status === 101)
      lines.push('Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`);
    else lines.push('Connection: close');
    for (const [name, value] of Object.entries(headers)) {
      if (!name.startsWith(':')) for (const each of [value].flat()) lines.push(`${name}: ${each}`);
    }
    return `${lines.join('\r\n')}\r\n\r\n`;
  }
}
