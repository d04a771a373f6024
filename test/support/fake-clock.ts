import type { Clock, Timer } from '../../core/clock.js';

interface PendingTimer {
  at: number;
  period: number | undefined;
  callback: () => void;
}

/** A clock that moves only when a test ticks it. Timers fire in the order of their times, within {@link tick}. */
export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #timers = new Set<PendingTimer>();

  /** @param start milliseconds since the epoch */
  constructor(start = Date.UTC(2024, 0, 1, 12)) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  setTimeout(callback: () => void, delay: number): Timer {
    return this.#add({ at: this.#now + delay, period: undefined, callback });
  }

  setInterval(callback: () => void, period: number): Timer {
    return this.#add({ at: this.#now + period, period, callback });
  }

  /** How many timers are pending; a leak shows here. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms` milliseconds and runs what falls due on the way. */
  tick(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#nextDue(end); timer !== undefined; timer = this.#nextDue(end)) {
      this.#now = Math.max(this.#now, timer.at);
      if (timer.period === undefined) this.#timers.delete(timer);
      else timer.at += Math.max(timer.period, 1);
      timer.callback();
    }
    this.#now = end;
  }

  #add(timer: PendingTimer): Timer {
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  #nextDue(end: number): PendingTimer | undefined {
    let due: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (due === undefined || timer.at < due.at)) due = timer;
    }
    return due;
  }
}
