import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { GatewayError } from '../errors.js';
import type { SlowBodyGuard } from './slow-body-guard.js';

/** What a {@link RequestBody} keeps to. */
export interface RequestBodyLimits {
  /** Most bytes, or 0 for no limit. */
  readonly maxBytes: number;
  /** Watches for bodies that arrive too slowly. */
  readonly guard: SlowBodyGuard;
  /** Sends `100 Continue`; called once, when the body is first asked for. */
  readonly sendContinue: (() => void) | undefined;
}

/**
 * The body of a request on its way upstream. Stands between Node's stream and the upstream client, so that a failing
 * upstream request does not tear down the client's connection, and so that the body's size and pace can be held to
 * their limits. Back pressure passes through: while nobody reads, the client's socket is not read either.
 *
 * Fails with a GatewayError: PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT or CLIENT_CLOSED_REQUEST.
 */
export class RequestBody extends Readable {
  readonly #req: IncomingMessage;
  readonly #limits: RequestBodyLimits;
  #started = false;
  #bytes = 0;
  /** Whether the next chunk is the client's to deliver: it is not, while the upstream holds the body back. */
  waiting = false;

  constructor(req: IncomingMessage, limits: RequestBodyLimits) {
    super();
    this.#req = req;
    this.#limits = limits;
  }

  /** Bytes received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  override _read(): void {
    this.waiting = true;
    if (!this.#started) this.#start();
    this.#req.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#limits.guard.forget(this);
    if (this.#started) {
      this.#req.off('data', this.#onData);
      this.#req.off('end', this.#onEnd);
      this.#req.off('close', this.#onClose);
      this.#req.off('error', this.#onClose);
      // Nobody wants the rest; what becomes of the connection is decided where the response is written.
      this.#req.pause();
    }
    callback(error);
  }

  #start(): void {
    this.#started = true;
    this.#limits.sendContinue?.();
    this.#limits.guard.watch(this);
    this.#req.on('data', this.#onData);
    this.#req.on('end', this.#onEnd);
    this.#req.on('close', this.#onClose);
    this.#req.on('error', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    const { maxBytes } = this.#limits;
    if (maxBytes !== 0 && this.#bytes > maxBytes) {
      this.destroy(new GatewayError('PAYLOAD_TOO_LARGE'));
      return;
    }
    if (!this.push(chunk)) {
      this.waiting = false;
      this.#req.pause();
    }
  };

  readonly #onEnd = (): void => {
    this.#limits.guard.forget(this);
    this.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#req.readableEnded) this.destroy(new GatewayError('CLIENT_CLOSED_REQUEST'));
  };
}
