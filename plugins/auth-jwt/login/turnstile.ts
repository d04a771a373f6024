/** Too many tasks are waiting already. */
export class TurnstileBusy extends Error {
  override readonly name = 'TurnstileBusy';
}

/** Lets a few tasks run at once, and a bounded number wait. */
export class Turnstile {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number, mostWaiting: number) {
    this.#atOnce = atOnce;
    this.#mostWaiting = mostWaiting;
  }

  /** @throws TurnstileBusy when too many wait; whatever the task throws */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1;
    else await this.#turn();
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place passes on to the next one, so that nobody slips in between.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#mostWaiting) return Promise.reject(new TurnstileBusy());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
