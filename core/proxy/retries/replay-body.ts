import { Readable } from 'node:stream';

/**
 * A request body that can be sent more than once: it streams to the first attempt, and what has passed is kept, up to a
 * limit, for the next one. Nothing more is kept once the limit is passed; the body then goes on streaming to the attempt
 * that has it.
 */
export class ReplayBody {
  readonly #source: Readable;
  readonly #limit: number;
  /** What the source has given so far; undefined once that is too much, or is not needed any more. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #started = false;
  #ended = false;
  #failure: Error | undefined;
  #concluded = false;
  #current: Replay | undefined;

  /**
   * @param source the body as it comes from the client
   * @param limit most bytes that are kept
   */
  constructor(source: Readable, limit: number) {
    this.#source = source;
    this.#limit = limit;
  }

  /** Whether another attempt could get the whole body. */
  get repeatable(): boolean {
    return this.#kept !== undefined && this.#failure === undefined;
  }

  /** The body from its first byte, for one attempt; the one before gets no more of it. */
  open(): Readable {
    this.#current?.destroy();
    const replay = new Replay(this, this.#kept === undefined ? [] : [...this.#kept]);
    this.#current = replay;
    return replay;
  }

  /** There will be no further attempt: nothing more is kept, and the source ends with the attempt that reads it. */
  conclude(): void {
    this.#concluded = true;
    this.#kept = undefined;
    if (this.#current === undefined || this.#current.destroyed) this.#source.destroy();
  }

  /** For the {@link Replay}: it has nothing left, and wants more. */
  pull(replay: Replay): void {
    if (replay !== this.#current) return;
    replay.live = true;
    if (this.#failure) replay.destroy(this.#failure);
    else if (this.#ended) replay.push(null);
    else if (this.#started) this.#source.resume();
    else this.#start();
  }

  /** For the {@link Replay}: it is not read any more. */
  left(replay: Replay): void {
    if (replay !== this.#current) return;
    this.#current = undefined;
    if (this.#concluded) this.#source.destroy();
    else if (this.#started) this.#source.pause();
  }

  #start(): void {
    this.#started = true;
    this.#source.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#source.on('end', () => {
      this.#ended = true;
      if (this.#current?.live) this.#current.push(null);
    });
    this.#source.on('error', (failure) => {
      this.#failure = failure;
      this.#current?.destroy(failure);
    });
  }

  #take(chunk: Buffer): void {
    if (this.#kept !== undefined) {
      this.#keptBytes += chunk.length;
      if (this.#keptBytes > this.#limit) this.#kept = undefined;
      else this.#kept.push(chunk);
    }
    if (this.#current?.push(chunk) !== true) this.#source.pause();
  }
}

/** The body for one attempt: first what was kept, then what comes. */
class Replay extends Readable {
  readonly #body: ReplayBody;
  readonly #kept: Buffer[];
  #next = 0;
  /** All that was kept has been pushed. */
  live = false;

  constructor(body: ReplayBody, kept: Buffer[]) {
    super();
    this.#body = body;
    this.#kept = kept;
  }

  override _read(): void {
    while (this.#next < this.#kept.length) {
      const chunk = this.#kept[this.#next++];
      if (chunk !== undefined && !this.push(chunk)) return;
    }
    this.#kept.length = 0;
    this.#body.pull(this);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#body.left(this);
    callback(error);
  }
}
