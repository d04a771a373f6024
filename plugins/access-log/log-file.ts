import { type Clock, LineWriter, type Logger } from '../../core/index.js';

/** The file of an access log. Outlives a reload; several instances may share it. */
export class LogFile {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #writer: LineWriter | undefined;

  /** @param path absolute */
  constructor(path: string, logger: Logger, clock: Clock) {
    this.#path = path;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Lines that were dropped because the disk did not keep up. */
  get dropped(): number {
    return this.#writer?.dropped ?? 0;
  }

  /**
   * Opens the file and the folders that it lacks; does nothing where it is open.
   *
   * @throws Error of the file system
   */
  open(): void {
    if (this.#writer !== undefined) return;
    const path = this.#path;
    const observer = {
      onDropped: (lines: number) =>
        this.#logger.warn({ path, lines }, 'Lines of the access log were dropped'),
      onError: (err: Error) => this.#logger.error({ path, err }, 'The access log cannot be written'),
    };
    const writer = new LineWriter(path, observer, { clock: this.#clock });
    writer.open();
    this.#writer = writer;
    // Only where the program does something with the signal already: it would not end by it any more otherwise.
    if (process.listenerCount('SIGHUP') > 0) process.on('SIGHUP', this.reopen);
  }

  /** Opens it again by its name, after it was moved away. Where that fails, the moved file is written on. */
  readonly reopen = (): void => {
    try {
      this.#writer?.open();
    } catch (err) {
      this.#logger.error({ path: this.#path, err }, 'The access log cannot be reopened');
    }
  };

  write(line: string): void {
    this.open();
    this.#writer?.write(line);
  }

  /** Resolves when what there is was written. */
  async flush(): Promise<void> {
    await this.#writer?.flush();
  }

  /** Closes the file. Requests that are cut off at the very end still get their lines. */
  close(): void {
    process.off('SIGHUP', this.reopen);
    setImmediate(() => this.#writer?.close());
  }
}
