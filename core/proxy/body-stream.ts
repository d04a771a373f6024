import { Readable } from 'node:stream';
import type { BodySink, UpstreamResponse } from './upstream-response.js';

/**
 * The body of an upstream response as a Node stream, for plugins that read or replace it (`ctx.body`). Only made
 * when one asks.
 */
export class BodyStream extends Readable implements BodySink {
  readonly #response: UpstreamResponse;
  #attached = false;

  /** Whether anybody has begun to read; until then the writer may take the body without a stream. */
  get attached(): boolean {
    return this.#attached;
  }

  constructor(response: UpstreamResponse) {
    super();
    this.#response = response;
    // Who pipes it on does not listen, and an unheard error would end the process; the writer looks at `errored`.
    this.on('error', () => {});
  }

  override _read(): void {
    if (this.#attached) {
      this.#response.resume();
    } else {
      this.#attached = true;
      this.#response.attach(this);
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#response.abort(error ?? new Error('The response body is not wanted any more'));
    callback(error);
  }

  write(chunk: Buffer): boolean {
    return this.push(chunk);
  }

  end(): void {
    this.push(null);
  }

  fail(error: Error): void {
    this.destroy(error);
  }
}
