import { type Clock, systemClock, type Timer } from '../clock.js';
import { isBusy, type LineFiles, nodeFiles, PAUSE, writeAllSync } from './line-files.js';

/** Characters that are written at once: each write wakes a thread, which costs as much as the making of some twenty lines. */
const BATCH = 64 * 1024;

/** Batches that are written at once where the disk is behind. */
const MOST_AT_ONCE = 16;

/** How long a line waits for others at most, in milliseconds. */
const LONGEST_WAIT = 100;

/** Characters that may wait for a disk or a pipe that does not keep up; what comes then is dropped. */
const MOST_WAITING = 16 * 1024 * 1024;

/** Learns what became of lines that could not be written. */
export interface LineObserver {
  /** There is room again, after so many lines were dropped. */
  onDropped(lines: number): void;
  /** Writing fails; called once until it succeeds again. It is tried on. */
  onError(error: Error): void;
}

/** What a {@link LineWriter} may be given; for tests. */
export interface LineWriterParts {
  readonly clock?: Clock;
  readonly files?: LineFiles;
  readonly mostWaiting?: number;
}

/**
 * Writes lines to a file or a file descriptor: collected, in batches, asynchronously, so that no request waits for the
 * disk. Bounded: where the disk stalls, or the reader of the pipe, lines are dropped and counted. When the process
 * exits, what is left is written synchronously.
 */
export class LineWriter {
  readonly #to: string | number;
  readonly #observer: LineObserver;
  readonly #clock: Clock;
  readonly #files: LineFiles;
  readonly #mostWaiting: number;
  #fd: number | undefined;
  /** Moved away, to be closed as soon as nothing is being written to it. */
  #former: number | undefined;
  /** Lines that wait to become a batch. */
  #lines = '';
  readonly #batches: string[] = [];
  /** Characters in the batches. */
  #waiting = 0;
  /** The rest of the batch that is being written. */
  #bytes: Buffer | undefined;
  #inFlight = false;
  #timer: Timer | undefined;
  #failing = false;
  #closed = false;
  #dropped = 0;
  #unreported = 0;
  #idle: (() => void)[] = [];

  /** @param to a path, opened by {@link open}, or a file descriptor, which stays open */
  constructor(to: string | number, observer: LineObserver, parts: LineWriterParts = {}) {
    this.#to = to;
    this.#observer = observer;
    this.#clock = parts.clock ?? systemClock;
    this.#files = parts.files ?? nodeFiles;
    this.#mostWaiting = parts.mostWaiting ?? MOST_WAITING;
    if (typeof to === 'number') this.open();
  }

  /** Lines that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Opens the file and what folders it lacks. Called again, opens it anew by its name: it was moved away.
   *
   * @throws Error of the file system; an open file stays in use then
   */
  open(): void {
    const fd = typeof this.#to === 'number' ? this.#to : this.#files.open(this.#to);
    if (this.#fd === undefined) process.on('exit', this.#onExit);
    else if (typeof this.#to === 'string') this.#retire(this.#fd);
    this.#fd = fd;
    this.#closed = false;
  }

  /** @param line with its newline */
  write(line: string): void {
    if (this.#closed || this.#waiting + this.#lines.length > this.#mostWaiting) {
      this.#dropped++;
      this.#unreported++;
      return;
    }
    this.#lines += line;
    if (this.#lines.length >= BATCH) this.#handOn();
    else this.#timer ??= this.#clock.setTimeout(this.#onTimer, LONGEST_WAIT);
  }

  /** Writes what is there, and resolves when that is done. */
  flush(): Promise<void> {
    this.#handOn();
    if (this.#bytes === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /**
   * Writes what is there before it returns. A write that is under way is left to end: it keeps the process alive, and
   * what waits behind it is written after it.
   */
  flushSync(): void {
    if (!this.#inFlight) this.#drainSync();
  }

  /** Closes the file as soon as what is there is written; lines that come later are dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.flush().then(() => {
      if (!this.#closed || this.#fd === undefined) return;
      process.off('exit', this.#onExit);
      this.#timer?.cancel();
      if (typeof this.#to === 'string') this.#files.close(this.#fd);
      this.#fd = undefined;
    });
  }

  readonly #onExit = (): void => this.#drainSync();

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.#handOn();
  };

  #handOn(): void {
    this.#cut();
    if (this.#bytes === undefined) this.#next();
  }

  /** What was collected becomes a batch. */
  #cut(): void {
    if (this.#lines === '') return;
    this.#batches.push(this.#lines);
    this.#waiting += this.#lines.length;
    this.#lines = '';
  }

  #next(): void {
    const text = this.#batches.splice(0, MOST_AT_ONCE).join('');
    if (text === '') {
      this.#bytes = undefined;
      for (const resolve of this.#idle.splice(0)) resolve();
    } else {
      this.#bytes = Buffer.from(text);
      this.#waiting -= text.length;
      this.#send();
    }
  }

  #send(): void {
    if (this.#fd === undefined || this.#bytes === undefined) return;
    this.#inFlight = true;
    this.#files.write(this.#fd, this.#bytes, this.#onWritten);
  }

  readonly #onWritten = (error: Error | null, written: number): void => {
    this.#inFlight = false;
    if (this.#former !== undefined) this.#retire(this.#former);
    if (error !== null) {
      this.#fail(error);
      if (this.#closed && !isBusy(error)) {
        this.#giveUp();
        return;
      }
      // Not for the sake of the process: it may end meanwhile, and tries once more then.
      this.#clock.setTimeout(() => {
        if (!this.#inFlight) this.#send();
      }, PAUSE);
      return;
    }
    this.#failing = false;
    this.#bytes = this.#bytes?.subarray(written);
    if (this.#bytes !== undefined && this.#bytes.length > 0) {
      this.#send();
      return;
    }
    this.#next();
    if (this.#unreported > 0 && !this.#closed) {
      const lines = this.#unreported;
      this.#unreported = 0;
      this.#observer.onDropped(lines);
    }
  };

  /** Nobody waits any more for a disk that fails. */
  #giveUp(): void {
    this.#batches.length = 0;
    this.#waiting = 0;
    this.#next();
  }

  /** A pipe that is full is no failure: its reader is slow. */
  #fail(error: Error): void {
    if (this.#failing || isBusy(error)) return;
    this.#failing = true;
    this.#observer.onError(error);
  }

  #retire(fd: number): void {
    if (this.#inFlight) {
      // Moved away twice while one write hangs: the file in between got nothing.
      if (this.#former !== undefined && this.#former !== fd && this.#fd !== undefined) this.#files.close(fd);
      else this.#former = fd;
      return;
    }
    this.#former = undefined;
    this.#files.close(fd);
  }

  #drainSync(): void {
    if (this.#fd === undefined) return;
    this.#cut();
    const rest = Buffer.from(this.#batches.splice(0).join(''));
    this.#waiting = 0;
    // What the thread pool is writing at this moment it will have written.
    const begun = this.#inFlight ? undefined : this.#bytes;
    if (!this.#inFlight) this.#bytes = undefined;
    writeAllSync(this.#files, this.#fd, begun === undefined ? rest : Buffer.concat([begun, rest]));
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
