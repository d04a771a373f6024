import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { LineFiles } from '../../../core/log/line-files.js';
import { LineWriter } from '../../../core/log/line-writer.js';
import { FakeClock } from '../../support/fake-clock.js';

/** A disk that answers when the test says so. */
class FakeFiles implements LineFiles {
  readonly written: string[] = [];
  readonly closed: number[] = [];
  fds = 10;
  syncError: string | undefined;
  #pending: { bytes: Buffer; fd: number; done: (error: Error | null, written: number) => void }[] = [];

  get pending(): number {
    return this.#pending.length;
  }

  open(): number {
    return this.fds++;
  }

  close(fd: number): void {
    this.closed.push(fd);
  }

  write(fd: number, bytes: Buffer, done: (error: Error | null, written: number) => void): void {
    this.#pending.push({ bytes, fd, done });
  }

  writeSync(_fd: number, bytes: Buffer): number {
    if (this.syncError !== undefined) throw failure(this.syncError);
    this.written.push(bytes.toString());
    return bytes.length;
  }

  /** The write that is under way ends: after some bytes, all by default, or with an error. */
  answer(outcome?: number | string): void {
    const write = this.#pending.shift();
    if (write === undefined) throw new Error('Nothing is being written');
    if (typeof outcome === 'string') {
      write.done(failure(outcome), 0);
    } else {
      const bytes = write.bytes.subarray(0, outcome);
      this.written.push(bytes.toString());
      write.done(null, bytes.length);
    }
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('LineWriter', () => {
  let files: FakeFiles;
  let clock: FakeClock;
  let dropped: number[];
  let errors: string[];
  let writer: LineWriter;

  const make = (to: string | number, mostWaiting?: number) => {
    const observer = {
      onDropped: (lines: number) => dropped.push(lines),
      onError: (error: Error) => errors.push(error.message),
    };
    writer = new LineWriter(to, observer, {
      files,
      clock,
      ...(mostWaiting === undefined ? {} : { mostWaiting }),
    });
    writer.open();
  };

  beforeEach(() => {
    files = new FakeFiles();
    clock = new FakeClock();
    dropped = [];
    errors = [];
    make('/log');
  });

  it('collects lines, and writes them a tenth of a second later at once', () => {
    writer.write('a\n');
    writer.write('b\n');
    clock.tick(99);
    expect(files.pending).to.equal(0);
    clock.tick(1);
    files.answer();
    expect(files.written).to.deep.equal(['a\nb\n']);
  });

  it('does not wait when there is a batch of them', () => {
    writer.write(`${'x'.repeat(64 * 1024)}\n`);
    expect(files.pending).to.equal(1);
  });

  it('keeps the order however the disk takes them', async () => {
    writer.write('first\n');
    const flushed = writer.flush();
    writer.write('second\n');
    clock.tick(100);
    files.answer(3);
    files.answer('EAGAIN');
    expect(files.pending).to.equal(0);
    clock.tick(100);
    files.answer();
    files.answer();
    await flushed;
    expect(files.written.join('')).to.equal('first\nsecond\n');
    expect(errors).to.deep.equal([]);
  });

  it('tells of an error once, tries on, and loses nothing', async () => {
    writer.write('a\n');
    const flushed = writer.flush();
    for (let i = 0; i < 3; i++) {
      files.answer('ENOSPC');
      clock.tick(100);
    }
    files.answer();
    await flushed;
    expect(errors).to.deep.equal(['ENOSPC']);
    expect(files.written).to.deep.equal(['a\n']);
  });

  it('drops and counts what comes while too much waits, and says so when there is room again', () => {
    make('/log', 100);
    for (let i = 0; i < 50; i++) writer.write('123456789\n');
    expect(writer.dropped).to.equal(39);
    clock.tick(100);
    expect(dropped).to.deep.equal([]);
    files.answer();
    expect(dropped).to.deep.equal([39]);
    expect(files.written.join('')).to.equal('123456789\n'.repeat(11));
    writer.write('again\n');
    clock.tick(100);
    files.answer();
    expect(files.written.at(-1)).to.equal('again\n');
    expect(dropped).to.deep.equal([39]);
  });

  it('opens the file anew, and closes the old one when nothing is written to it any more', () => {
    writer.write('a\n');
    clock.tick(100);
    writer.open();
    expect(files.closed).to.deep.equal([]);
    files.answer();
    expect(files.closed).to.deep.equal([10]);
    writer.open();
    expect(files.closed).to.deep.equal([10, 11]);
  });

  it('writes what waits synchronously at the end, and does not hang on a pipe that nobody reads', () => {
    writer.write('a\n');
    writer.flushSync();
    expect(files.written).to.deep.equal(['a\n']);
    writer.write('b\n');
    files.syncError = 'ENOSPC';
    writer.flushSync();
    expect(files.written).to.deep.equal(['a\n']);
  });

  it('closes after what waits is written, and drops what comes later', async () => {
    writer.write('a\n');
    writer.close();
    writer.write('late\n');
    expect(files.closed).to.deep.equal([]);
    files.answer();
    await Promise.resolve();
    expect(files.closed).to.deep.equal([10]);
    expect(writer.dropped).to.equal(1);
    expect(files.written).to.deep.equal(['a\n']);
  });

  it('does not try for ever to write to a full disk once it is closed', async () => {
    writer.write('a\n');
    writer.close();
    files.answer('ENOSPC');
    await Promise.resolve();
    expect(files.closed).to.deep.equal([10]);
    clock.tick(1000);
    expect(files.pending).to.equal(0);
  });

  it('never closes a descriptor that it was given', async () => {
    make(1);
    writer.write('a\n');
    writer.close();
    files.answer();
    await Promise.resolve();
    expect(files.closed).to.deep.equal([]);
  });

  it('leaves no listener behind', async () => {
    const before = process.listenerCount('exit');
    make('/log');
    expect(process.listenerCount('exit')).to.equal(before + 1);
    writer.close();
    await Promise.resolve();
    expect(process.listenerCount('exit')).to.equal(before);
  });

  afterEach(async () => {
    writer.close();
    while (files.pending > 0) files.answer();
    await Promise.resolve();
  });

  describe('with real files', () => {
    it('makes missing folders, appends, and follows a file that was moved away', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'line-writer-'));
      const path = join(folder, 'deep', 'access.log');
      const real = new LineWriter(path, { onDropped() {}, onError() {} });
      try {
        real.open();
        real.write('1\n');
        await real.flush();
        renameSync(path, `${path}.1`);
        real.write('2\n');
        await real.flush();
        real.open();
        real.write('3\n');
        await real.flush();
        expect(readFileSync(`${path}.1`, 'utf8')).to.equal('1\n2\n');
        expect(readFileSync(path, 'utf8')).to.equal('3\n');
      } finally {
        real.close();
        rmSync(folder, { recursive: true });
      }
    });

    it('throws where the file cannot be opened', () => {
      const observer = { onDropped() {}, onError() {} };
      expect(() => new LineWriter('/dev/null/no/file', observer).open()).to.throw(/ENOTDIR/);
      // Where Node.js itself would try for ever to make the folder.
      expect(() => new LineWriter('/proc/no/folder/file', observer).open()).to.throw();
    });
  });
});
