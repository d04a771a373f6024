import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** What a {@link JsonFile} holds. */
export interface JsonFileInit<Content extends object> {
  readonly path: string;
  /** What the file is for, in error messages: `the registered services`. */
  readonly purpose: string;
  /** Version of the layout; stands in the file as `version`. */
  readonly version: number;
  /** Checks what was read. Throws an Error that says what is wrong. */
  readonly parse: (content: Readonly<Record<string, unknown>>) => Content;
}

/** A state file that cannot be understood. Nothing is dropped: the message names the file and what to do. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
  readonly path: string;

  constructor(path: string, purpose: string, reason: string, cause?: unknown) {
    super(
      `The file '${path}' with ${purpose} cannot be used: ${reason}. ` +
        'Repair it, restore it from a backup, or move it away to start without what it holds.',
      { cause },
    );
    this.path = path;
  }
}

/**
 * A JSON file that is replaced as a whole. At any moment, also after a crash or a loss of power, it holds either what
 * it held before or what was written last, complete. Only its owner may read it. One object per file and process.
 */
export class JsonFile<Content extends object> {
  readonly path: string;
  readonly #init: JsonFileInit<Content>;
  readonly #directory: string;
  /** The end of the queue of writes; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(init: JsonFileInit<Content>) {
    this.#init = init;
    this.path = resolve(init.path);
    this.#directory = dirname(this.path);
  }

  /**
   * What the file holds, undefined when there is none. Removes what a crashed write has left beside it.
   *
   * @throws DamagedFileError when it is no JSON, of another version, or refused by `parse`
   */
  async read(): Promise<Content | undefined> {
    await this.#removeLeftovers();
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw this.#damaged(`it cannot be read (${codeOf(error) ?? 'unknown error'})`, error);
    }
    return this.#understand(text);
  }

  /** Replaces the content. Writes take place one after the other; resolves once the content is on the disk. */
  write(content: Content): Promise<void> {
    const text = `${JSON.stringify({ version: this.#init.version, ...content }, null, 2)}\n`;
    const write = this.#tail.then(() => this.#replace(text));
    this.#tail = write.catch(() => undefined);
    return write;
  }

  #understand(text: string): Content {
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch (error) {
      throw this.#damaged('it is not valid JSON', error);
    }
    if (!isRecord(content)) throw this.#damaged('it does not hold an object');
    if (content.version !== this.#init.version) {
      const found = JSON.stringify(content.version) ?? 'none';
      throw this.#damaged(`its version is ${found}, expected ${this.#init.version}`);
    }
    try {
      return this.#init.parse(content);
    } catch (error) {
      throw this.#damaged(error instanceof Error ? error.message : String(error), error);
    }
  }

  async #replace(text: string): Promise<void> {
    await this.#makeDirectory();
    const unique = `${process.pid}.${randomBytes(8).toString('hex')}`;
    const temporary = join(this.#directory, `.${basename(this.path)}.${unique}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(text);
        // The rename may reach the disk before the content does, and a loss of power between the two leave nothing.
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(this.#directory);
  }

  async #makeDirectory(): Promise<void> {
    const first = await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = this.#directory; made.length >= first.length; made = dirname(made)) {
      await syncDirectory(dirname(made));
    }
  }

  /** Leaves the files of other processes that are alive alone. */
  async #removeLeftovers(): Promise<void> {
    const prefix = `.${basename(this.path)}.`;
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) {
      if (!name.startsWith(prefix)) continue;
      const owner = /^(\d+)\.[0-9a-f]+\.tmp$/.exec(name.slice(prefix.length))?.[1];
      if (owner === undefined || isOtherProcess(Number(owner))) continue;
      await rm(join(this.#directory, name), { force: true });
    }
  }

  #damaged(reason: string, cause?: unknown): DamagedFileError {
    return new DamagedFileError(this.path, this.#init.purpose, reason, cause);
  }
}

/** Makes the entries of a directory durable. Windows cannot do it, and does not need it. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
