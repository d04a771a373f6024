import type { Clock, Timer } from '../clock.js';
import { LONGEST_TIMER } from '../config/units.js';
import { type Due, DueQueue } from './due-queue.js';

/** Calls back for each of many entries when it falls due, with one timer of the clock for all of them. */
export class DueTimer<Entry extends Due> {
  readonly #clock: Clock;
  readonly #onDue: (entry: Entry) => void;
  readonly #queue = new DueQueue<Entry>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param onDue is given an entry that is in the queue no more, and may put it in again */
  constructor(clock: Clock, onDue: (entry: Entry) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** How many entries are yet to fall due. */
  get size(): number {
    return this.#queue.size;
  }

  /**
   * Puts an entry in, or moves it to another time.
   *
   * @param at on the clock's monotonic scale, in milliseconds
   */
  set(entry: Entry, at: number): void {
    this.#queue.set(entry, at);
    this.#arm();
  }

  /** Takes an entry out; harmless when it is not in the queue. */
  delete(entry: Entry): void {
    if (entry.heapIndex < 0) return;
    this.#queue.delete(entry);
    this.#arm();
  }

  /** Takes all entries out, without calling back. */
  clear(): void {
    for (let entry = this.#queue.first; entry; entry = this.#queue.first) this.#queue.delete(entry);
    this.#arm();
  }

  #arm(): void {
    const at = this.#queue.first?.dueAt ?? Number.POSITIVE_INFINITY;
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(Math.ceil(at - this.#clock.monotonic()), 0), LONGEST_TIMER);
    this.#timer = this.#clock.setTimeout(() => this.#run(), delay);
  }

  #run(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let entry = this.#queue.first; entry && entry.dueAt <= now; entry = this.#queue.first) {
      this.#queue.delete(entry);
      this.#onDue(entry);
    }
    this.#arm();
  }
}
