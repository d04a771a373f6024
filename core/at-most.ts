import type { Clock } from './clock.js';

/**
 * Waits for some work, but no longer than so many milliseconds; the work goes on then.
 *
 * @throws whatever the work fails with in that time
 */
export async function atMost(work: Promise<unknown>, limit: number, clock: Clock): Promise<void> {
  let stopWaiting = () => {};
  const tooLong = new Promise<void>((resolve) => {
    stopWaiting = resolve;
  });
  const timer = clock.setTimeout(stopWaiting, limit);
  await Promise.race([work, tooLong]);
  timer.cancel();
}
