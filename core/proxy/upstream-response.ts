import { type Dispatcher, errors } from 'undici';
import type { Clock, Timer } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { UpstreamHead } from '../plugin.js';
import type { ConnectionObserver, PooledConnection } from '../services/upstream-pool.js';
import { connectionOptions, type FieldClassifier, FieldFate } from './header-fields.js';
import { latin1 } from './latin1.js';
import { removeFields } from './request-head.js';
import { upstreamError } from './upstream-errors.js';

/** Where the body of an upstream response goes. */
export interface BodySink {
  /** @returns false to be sent no more until {@link UpstreamResponse.resume} */
  write(chunk: Buffer): boolean;
  /** @param trailers names and values in turn, or undefined */
  end(trailers: string[] | undefined): void;
  /** The upstream broke off. */
  fail(error: Error): void;
}

/** Looks on while a body passes by, for example to store it; see {@link UpstreamResponse.tap}. */
export interface BodyTap {
  /** @returns whether more is wanted even where the client is held back: somebody else waits for the whole */
  write(chunk: Buffer): boolean;
  end(): void;
  fail(error: Error): void;
  /** @returns whether the rest is wanted although the client is gone */
  outlives(): boolean;
}

/** Until the head has come; never written to. */
const NO_FIELDS: string[] = [];

/** Where the rest of a body goes that only a tap wants. */
const NOBODY: BodySink = { write: () => true, end: () => {}, fail: () => {} };

/** Bytes that may wait for the onion to finish before the upstream is held back. */
const MOST_WAITING = 64 * 1024;

/** Learns of an upstream response what concerns neither the head's nor the body's receiver. */
export interface ResponseObserver {
  /** An informational response other than 100 and 101 came; fields are names and values in turn. */
  onInformational(status: number, fields: readonly string[]): void;
  /** The response has ended, however it did. Called once. */
  onSettled(): void;
}

/**
 * One upstream response as undici delivers it: the head as a promise, then the body, which waits here until
 * somebody attaches a sink. No stream is made; a plugin that wants one gets it from body-stream.ts.
 */
export class UpstreamResponse implements UpstreamHead, ConnectionObserver, Dispatcher.DispatchHandler {
  status = 0;
  statusText = '';
  headers: string[] = NO_FIELDS;
  /** Body chunks that came before a sink was attached. */
  readonly waiting: Buffer[] = [];
  /** Bytes in {@link waiting}. */
  waitingBytes = 0;
  /** Body bytes in all. */
  bytes = 0;
  /** The body has come to its end. */
  complete = false;
  /** The body was broken off. */
  error: Error | undefined;
  trailers: string[] | undefined;
  /** When the request was handed to the pool, on the clock's monotonic scale, in milliseconds; 0 before. */
  sentAt = 0;
  /** When it had a connection and was about to be written; 0 before. */
  connectedAt = 0;
  /** When the head of the response was there; 0 before. */
  headAt = 0;
  /** Whether the request was given to a connection that had been open before: the target may have closed it just then. */
  reused = false;

  #connection: PooledConnection | undefined;
  readonly #fields: FieldClassifier;
  readonly #observer: ResponseObserver;
  readonly #clock: Clock;
  #resolve: ((head: this) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #sink: BodySink | undefined;
  #tap: BodyTap | undefined;
  #headLimit = 0;
  #headTimer: Timer | undefined;
  #aborted: Error | undefined;
  #text: string | undefined;

  constructor(fields: FieldClassifier, observer: ResponseObserver, clock: Clock) {
    this.#fields = fields;
    this.#observer = observer;
    this.#clock = clock;
  }

  /**
   * Dispatches a request; settles with the head.
   *
   * @throws GatewayError for whatever came instead; see upstream-errors.ts
   */
  send(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): Promise<this> {
    this.sentAt = this.#clock.monotonic();
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      dispatcher.dispatch(options, this);
    });
  }

  /**
   * Limits the time from the connection to the head, to the millisecond: undici's own timers may come a second late. To be
   * called before {@link send}.
   *
   * @param limit in milliseconds
   */
  limitHead(limit: number): void {
    this.#headLimit = limit;
  }

  /** The client is gone: what is still under way is ended. */
  abandon(): void {
    if (this.complete || this.error) return;
    if (this.#tap?.outlives()) this.attach(NOBODY);
    else this.abort(new GatewayError('CLIENT_CLOSED_REQUEST'));
  }

  /** Ends the upstream request: nobody wants the rest. */
  abort(error: Error): void {
    if (this.complete || this.error || this.#aborted) return;
    this.#aborted = error;
    if (this.#abort) this.#abort(error);
    // Still queued for a connection: undici has nothing to abort yet, and onConnect will refuse.
    else this.onError(error);
  }

  /**
   * The whole body as text, each byte one character; made once.
   *
   * @param most bytes
   * @returns undefined where it is longer, is not there in full (yet, or any more), or has trailers
   */
  wholeText(most: number): string | undefined {
    if (!this.complete || this.trailers !== undefined || this.bytes > most || this.bytes > this.waitingBytes)
      return undefined;
    this.#text ??= this.waiting.length === 1 ? text(this.waiting[0]) : latin1(Buffer.concat(this.waiting));
    return this.#text;
  }

  /** Sends the body to `sink` from now on, what has waited first. */
  attach(sink: BodySink): void {
    this.#sink = sink;
    let wantsMore = true;
    for (const chunk of this.waiting) wantsMore = sink.write(chunk);
    this.waiting.length = 0;
    this.waitingBytes = 0;
    if (this.error) sink.fail(this.error);
    else if (this.complete) sink.end(this.trailers);
    else if (wantsMore) this.resume();
  }

  /** Shows the body to `tap` as well, what has waited first. To be called before the response is written. */
  tap(tap: BodyTap): void {
    this.#tap = tap;
    for (const chunk of this.waiting) tap.write(chunk);
    if (this.error) tap.fail(this.error);
    else if (this.complete) tap.end();
  }

  /** The sink takes more. */
  resume(): void {
    this.#resume?.();
  }

  onConnectionChosen(connection: PooledConnection): void {
    this.#connection = connection;
    this.reused = connection.open;
  }

  /** How long it took to open the connection, in milliseconds; 0 for one that was open before, or has not been opened. */
  get connectTime(): number {
    return this.reused || this.connectedAt === 0 ? 0 : (this.#connection?.openedIn ?? 0);
  }

  onConnect(abort: (error?: Error) => void): void {
    this.connectedAt = this.#clock.monotonic();
    if (this.#aborted) {
      abort(this.#aborted);
      return;
    }
    this.#abort = abort;
    if (this.#headLimit !== 0) {
      this.#headTimer = this.#clock.setTimeout(
        () => this.abort(new errors.HeadersTimeoutError()),
        this.#headLimit,
      );
    }
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200) {
      this.#observer.onInformational(status, this.#endToEnd(raw));
      return true;
    }
    this.headAt = this.#clock.monotonic();
    this.#headTimer?.cancel();
    this.status = status;
    this.statusText = statusText;
    this.headers = this.#endToEnd(raw);
    this.#resume = resume;
    this.#resolve?.(this);
    this.#resolve = undefined;
    this.#reject = undefined;
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    const wanted = this.#tap?.write(chunk) ?? false;
    if (this.#sink) return this.#sink.write(chunk) || wanted;
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    return this.waitingBytes < MOST_WAITING;
  }

  onComplete(trailers: string[] | null): void {
    this.complete = true;
    if (trailers && trailers.length > 0) this.trailers = texts(trailers);
    this.#observer.onSettled();
    this.#sink?.end(this.trailers);
    this.#tap?.end();
  }

  onError(error: Error): void {
    if (this.complete || this.error) return;
    // RFC 9110 section 8.6: a 304 may say how long the body is that it does not send. undici takes that for a body cut short.
    if (this.status === 304 && error instanceof errors.ResponseContentLengthMismatchError) {
      this.onComplete(null);
      return;
    }
    this.error = this.#aborted ?? error;
    this.#headTimer?.cancel();
    this.#reject?.(upstreamError(this.error));
    this.#reject = undefined;
    this.#resolve = undefined;
    this.#observer.onSettled();
    this.#sink?.fail(this.error);
    this.#tap?.fail(this.error);
  }

  /** The end-to-end fields of a head, byte for byte. */
  #endToEnd(raw: readonly Buffer[]): string[] {
    const fields: string[] = [];
    let dropped: Set<string> | undefined;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = text(raw[i]);
      const fate = this.#fields.of(name);
      if (fate === FieldFate.Copy) fields.push(name, text(raw[i + 1]));
      else if (fate === FieldFate.Connection) dropped = connectionOptions(text(raw[i + 1])) ?? dropped;
    }
    if (dropped !== undefined) removeFields(fields, dropped);
    return fields;
  }
}

function text(buffer: Buffer | undefined): string {
  return buffer === undefined ? '' : latin1(buffer);
}

function texts(fields: readonly (string | Buffer)[]): string[] {
  return fields.map((field) => (typeof field === 'string' ? field : text(field)));
}
