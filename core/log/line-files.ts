import { closeSync, existsSync, mkdirSync, openSync, write, writeSync } from 'node:fs';
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
    makeFolder(dirname(path));
    return openSync(path, 'a', 0o640);
  },
  close: closeSync,
  write: (fd, bytes, done) => write(fd, bytes, done),
  writeSync: (fd, bytes) => writeSync(fd, bytes),
};

/** Not `recursive`, which never returns where a folder cannot be made although the one above it is there, as below /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process was faster.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

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
