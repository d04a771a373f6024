import { closeSync, mkdirSync, openSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** How long a disk or a pipe that took nothing is left alone, in milliseconds. */
export const PAUSE = 100;

/** How often it is tried again while the process ends. */
const LAST_TRIES = 10;

/** The calls of `node:fs` that a LineWriter makes. */
export interface LineFiles {
  open(path: string): number;
  close(fd: number): void;
  write(fd: number, bytes: Buffer, done: (error: Error | null, written: number) => void): void;
  writeSync(fd: number, bytes: Buffer): number;
}

export const nodeFiles: LineFiles = {
  open(path) {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'a', 0o640);
  },
  close: closeSync,
  write: (fd, bytes, done) => write(fd, bytes, done),
  writeSync: (fd, bytes) => writeSync(fd, bytes),
};

/** Whether a pipe or a disk takes nothing just now, and may later. */
export function isBusy(error: Error): boolean {
  return 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY');
}

/** Writes while the process ends. What a full disk or a pipe that nobody reads does not take is lost: nobody is left to be told. */
export function writeAllSync(files: LineFiles, fd: number, bytes: Buffer): void {
  let rest = bytes;
  for (let tries = LAST_TRIES; rest.length > 0 && tries >= 0; ) {
    try {
      rest = rest.subarray(files.writeSync(fd, rest));
    } catch (error) {
      if (!(error instanceof Error) || !isBusy(error)) return;
      tries--;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }
}
