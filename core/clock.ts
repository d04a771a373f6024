/**
 * Time as the gateway sees it. Every mechanism takes a clock, so that tests tick it instead of sleeping.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when the system's time is set. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonic(): number;
  /** Runs `callback` once after `delay` milliseconds. The timer does not keep the process alive. */
  setTimeout(callback: () => void, delay: number): Timer;
  /** Runs `callback` every `period` milliseconds. The timer does not keep the process alive. */
  setInterval(callback: () => void, period: number): Timer;
}

/** A pending timer of a {@link Clock}. */
export interface Timer {
  /** Cancels the timer; harmless when it has fired already. */
  cancel(): void;
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(callback, delay) {
    const handle = setTimeout(callback, delay);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  setInterval(callback, period) {
    const handle = setInterval(callback, period);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};
