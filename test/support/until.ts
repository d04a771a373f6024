import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for something that real sockets bring about, by looking again every few milliseconds.
 *
 * @param what what is waited for, for the message when it does not come
 * @param limit milliseconds
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limit = 3000,
): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${limit} ms in vain for: ${what}`);
    await delay(5);
  }
}

/**
 * Waits until a number has stopped moving for `quiet` milliseconds; for example the bytes that a sender could hand
 * over before back pressure stopped it.
 *
 * @returns the number it stands at
 */
export async function untilSteady(read: () => number, quiet = 300, limit = 8000): Promise<number> {
  const deadline = performance.now() + limit;
  let last = read();
  let since = performance.now();
  while (performance.now() - since < quiet) {
    if (performance.now() > deadline) throw new Error(`Still moving after ${limit} ms, at ${last}`);
    await delay(10);
    const current = read();
    if (current !== last) {
      last = current;
      since = performance.now();
    }
  }
  return last;
}
