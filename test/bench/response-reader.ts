/** A response that is not HTTP/1.1 as the load generator can read it. */
class MalformedResponse extends Error {}

type State = 'head' | 'body' | 'chunk-size' | 'chunk-data' | 'trailer';

/**
 * Counts the responses on one keep-alive connection and measures their bodies. Only the framing is read (RFC 9112
 * section 6: Content-Length, or chunked), because the load generator must cost far less than what it measures.
 */
export class ResponseReader {
  readonly #onResponse: (status: number, bodyBytes: number) => void;
  #state: State = 'head';
  /** Bytes of a head or line that arrived without its end. */
  #pending = '';
  #status = 0;
  #bodyBytes = 0;
  #remaining = 0;

  constructor(onResponse: (status: number, bodyBytes: number) => void) {
    this.#onResponse = onResponse;
  }

  /**
   * Reads what has arrived.
   *
   * @throws MalformedResponse when the framing cannot be told
   */
  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'body' || this.#state === 'chunk-data') at += this.#readBody(bytes.length - at);
      else at = this.#readLines(bytes, at, this.#state === 'head' ? '\r\n\r\n' : '\r\n');
    }
  }

  #readBody(available: number): number {
    const taken = Math.min(available, this.#remaining);
    this.#remaining -= taken;
    if (this.#remaining === 0) {
      if (this.#state === 'chunk-data') this.#state = 'chunk-size';
      else this.#finish();
    }
    return taken;
  }

  #readLines(bytes: Buffer, from: number, end: string): number {
    const carried = this.#pending.length;
    if (carried === 0) {
      const found = bytes.indexOf(end, from, 'latin1');
      if (found >= 0) {
        this.#take(bytes.toString('latin1', from, found));
        return found + end.length;
      }
    }
    const text = this.#pending + bytes.toString('latin1', from);
    const found = text.indexOf(end);
    this.#pending = found < 0 ? text : '';
    if (found < 0) return bytes.length;
    this.#take(text.slice(0, found));
    return from + found + end.length - carried;
  }

  #take(text: string): void {
    if (this.#state === 'head') this.#takeHead(text);
    else if (this.#state === 'chunk-size') this.#takeChunkSize(text);
    else if (text === '') this.#finish();
  }

  #takeHead(head: string): void {
    this.#status = Number(head.slice(9, 12));
    this.#bodyBytes = 0;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      this.#remaining = this.#bodyBytes = Number(length);
      this.#state = 'body';
      if (this.#remaining === 0) this.#finish();
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = 'chunk-size';
    } else {
      throw new MalformedResponse(`no Content-Length and not chunked: ${JSON.stringify(head.slice(0, 200))}`);
    }
  }

  #takeChunkSize(line: string): void {
    const size = Number.parseInt(line, 16);
    if (!(size >= 0)) throw new MalformedResponse(`chunk size ${JSON.stringify(line)}`);
    this.#bodyBytes += size;
    this.#remaining = size + 2;
    this.#state = size === 0 ? 'trailer' : 'chunk-data';
  }

  #finish(): void {
    this.#state = 'head';
    this.#onResponse(this.#status, this.#bodyBytes);
  }
}
