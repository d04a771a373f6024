import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Fields that HTTP/2 has no place for (RFC 9113 section 8.2.2), and one that extended CONNECT does without. */
const NOT_IN_HTTP2 = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'sec-websocket-accept',
]);

type Callback = (error?: Error | null) => void;

/** A CONNECT of HTTP/2, as Node.js hands it over. */
export type Http2Connect = IncomingMessage & { readonly stream: ServerHttp2Stream };

/**
 * A stream of HTTP/2 as the socket of an upgrade. What is written to it starts with the head of an HTTP/1.1 response, which becomes
 * that of the stream: 101 becomes 200 (RFC 8441 section 5), anything else is the refusal that it says. The bytes behind it pass as
 * they are. An end is END_STREAM, and a socket that is destroyed before it is done is reset: with CANCEL once it is a WebSocket.
 */
export class StreamSocket extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly encrypted: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #key: string;
  /** What there is of the head; undefined once the stream has got it. */
  #head: Buffer | undefined = Buffer.alloc(0);
  #isOpen = false;
  #reads = false;
  #isAtEnd = false;

  /** @param key the `Sec-WebSocket-Key` of the upgrade request, by which its 101 is checked */
  constructor({ stream, socket }: Http2Connect, key: string) {
    super();
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.localAddress = socket.localAddress;
    this.localPort = socket.localPort;
    this.encrypted = 'encrypted' in socket && socket.encrypted === true;
    this.#stream = stream;
    this.#key = key;
    stream.on('error', () => this.destroy());
    stream.on('timeout', () => this.emit('timeout'));
    stream.on('close', () => {
      // The end may not have been read yet; a reset drops what was not.
      if (!this.#isDone) this.destroy();
    });
  }

  // These two belong to the connection, which is not this stream's alone.
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(timeout: number, callback?: () => void): this {
    if (callback !== undefined) this.once('timeout', callback);
    this.#stream.setTimeout(timeout);
    return this;
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {
    const stream = this.#stream;
    if (this.#reads) {
      stream.resume();
      return;
    }
    this.#reads = true;
    stream.on('data', (chunk: Buffer) => {
      if (this.destroyed) return;
      this.bytesRead += chunk.length;
      if (!this.push(chunk)) stream.pause();
    });
    stream.on('end', () => {
      // A reset is followed by an end as well.
      if (this.destroyed || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      this.#isAtEnd = true;
      this.push(null);
    });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.bytesWritten += chunk.length;
    if (this.#head === undefined) this.#stream.write(chunk, callback);
    else this.#answer(Buffer.concat([this.#head, chunk]), callback);
  }

  override _writev(chunks: { readonly chunk: Buffer }[], callback: Callback): void {
    const last = chunks.length - 1;
    if (this.#head !== undefined) {
      this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', callback);
      return;
    }
    this.#stream.cork();
    for (const [index, { chunk }] of chunks.entries()) {
      this.bytesWritten += chunk.length;
      if (index < last) this.#stream.write(chunk);
      else this.#stream.write(chunk, callback);
    }
    this.#stream.uncork();
  }

  override _final(callback: Callback): void {
    // RFC 9113 section 8.1: a client need not go on where it was refused.
    if (!this.#isOpen) this.once('finish', () => this.destroy());
    if (this.#stream.writableEnded) callback();
    else this.#stream.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const stream = this.#stream;
    if (!this.#isDone && !stream.closed) stream.close(this.#resetCode());
    // What still comes is thrown away: as long as it waits for a reader, the stream is not over.
    stream.resume();
    callback(error);
  }

  /** RFC 8441 section 5: CANCEL for what would be a TCP reset. A response that broke off is the gateway's failure. */
  #resetCode(): number {
    if (this.#stream.writableFinished) return constants.NGHTTP2_NO_ERROR;
    return this.#isOpen ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_INTERNAL_ERROR;
  }

  /** Whether both sides have ended in good order. */
  get #isDone(): boolean {
    return this.#isAtEnd && this.writableFinished;
  }

  #answer(bytes: Buffer, callback: Callback): void {
    const end = bytes.indexOf('\r\n\r\n');
    this.#head = end === -1 ? bytes : undefined;
    if (end === -1) {
      callback();
      return;
    }
    const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    const status = Number(first.split(' ')[1]);
    const rest = bytes.subarray(end + 4);
    if (status < 200 && status !== 101) {
      // Interim responses may be left out (RFC 9110 section 15.2).
      this.#head = Buffer.alloc(0);
      this.#answer(rest, callback);
      return;
    }
    try {
      this.#respond(status, fieldsOf(lines), rest, callback);
    } catch (error) {
      // HTTP/2 has no place for this response, or the stream is gone.
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #respond(status: number, fields: Map<string, string | string[]>, rest: Buffer, callback: Callback): void {
    const stream = this.#stream;
    if (status === 101) {
      // The client has no key to compare it with.
      if (fields.get('sec-websocket-accept') !== acceptOf(this.#key)) {
        stream.respond({ ':status': 502 });
        stream.end(() => callback(new Error('The upgrade was granted with a wrong Sec-WebSocket-Accept')));
        return;
      }
      this.#isOpen = true;
    }
    const kept = [...fields].filter(([name]) => !NOT_IN_HTTP2.has(name));
    stream.respond({ ...Object.fromEntries(kept), ':status': this.#isOpen ? 200 : status });
    if (rest.length > 0) stream.write(rest, callback);
    else callback();
  }
}

/** Fields by name in lower case. All but `Set-Cookie` may be joined (RFC 9110 section 5.3). */
function fieldsOf(lines: readonly string[]): Map<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    if (before === undefined) fields.set(name, value);
    else fields.set(name, name === 'set-cookie' ? [before, value].flat() : `${before}, ${value}`);
  }
  return fields;
}

/** RFC 6455 section 4.2.2. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
}
