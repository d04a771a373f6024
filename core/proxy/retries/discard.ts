import type { Clock } from '../../clock.js';
import type { BodySink, UpstreamResponse } from '../upstream-response.js';

/** A body of more bytes costs more to read than a new connection. */
const MOST_READ = 64 * 1024;
/** Milliseconds. */
const LONGEST_READ = 1000;

/**
 * Gets rid of a response that is not passed on. A short body is read to its end, so that the connection can be used
 * again; a long or slow one ends the connection.
 */
export function discard(response: UpstreamResponse, clock: Clock): void {
  if (response.complete || response.error) {
    response.waiting.length = 0;
    response.waitingBytes = 0;
    return;
  }
  response.attach(new Discarding(response, clock));
}

class Discarding implements BodySink {
  readonly #response: UpstreamResponse;
  readonly #deadline: { cancel(): void };
  #bytes = 0;

  constructor(response: UpstreamResponse, clock: Clock) {
    this.#response = response;
    this.#deadline = clock.setTimeout(() => this.#giveUp(), LONGEST_READ);
  }

  write(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes <= MOST_READ) return true;
    this.#giveUp();
    return false;
  }

  end(): void {
    this.#deadline.cancel();
  }

  fail(): void {
    this.#deadline.cancel();
  }

  #giveUp(): void {
    this.#response.abort(new Error('The response is not wanted: the request is tried again'));
  }
}
