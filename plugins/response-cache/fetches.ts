import type { Clock, Exchange, GatewayError } from '../../core/index.js';

/**
 * How a fetch ended for those who wait for its response: it was stored; it cannot be used by others; whoever asked has
 * gone; or it failed.
 */
export type Landing = 'stored' | 'unusable' | 'abandoned' | GatewayError;

/**
 * A request of the cache to the upstream, whose response may be stored. A purge in the meantime takes that right away; equal
 * requests may wait for it until it has landed.
 */
export class Fetch {
  readonly key: string;
  readonly service: string;
  /** What tells those who may wait for it from others for the same key; undefined where nobody may. */
  readonly awaitedBy: string | undefined;
  /** Its response is not to be stored any more. */
  voided = false;
  /** Another one for the same key; for {@link Fetches}. */
  next: Fetch | undefined = undefined;
  /** Made with the first: mostly there are none. */
  #waiters: Set<(landing: Landing) => void> | undefined = undefined;
  #landed = false;

  constructor(key: string, service: string, awaitedBy: string | undefined) {
    this.key = key;
    this.service = service;
    this.awaitedBy = awaitedBy;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters?.size ?? 0;
  }

  get landed(): boolean {
    return this.#landed;
  }

  /**
   * Waits for the end, or until patience ends (then `unusable`), or the client goes away (then `abandoned`).
   *
   * @param patience in milliseconds
   */
  wait(exchange: Exchange, clock: Clock, patience: number): Promise<Landing> {
    this.#waiters ??= new Set();
    const waiters = this.#waiters;
    return new Promise((resolve) => {
      const leave = (landing: Landing) => {
        if (waiters.delete(leave)) {
          timer.cancel();
          resolve(landing);
        }
      };
      const timer = clock.setTimeout(() => leave('unusable'), patience);
      waiters.add(leave);
      exchange.onFinished(() => leave('abandoned'));
    });
  }

  /** Releases all who wait, and lets nobody wait any more. Only the first call counts. */
  land(landing: Landing): void {
    if (this.#landed) return;
    this.#landed = true;
    if (this.#waiters === undefined) return;
    for (const leave of this.#waiters) leave(landing);
  }
}

/**
 * The fetches under way: what was asked for before a purge or an unsafe request must not be stored after it, or it would
 * come back for as long as it is fresh.
 */
export class Fetches {
  /** The one that came last for each key, where there is nearly always one alone; those before are its `next`. */
  readonly #latest = new Map<string, Fetch>();

  /** @param awaitedBy see {@link Fetch.awaitedBy} */
  begin(key: string, service: string, awaitedBy?: string): Fetch {
    const fetch = new Fetch(key, service, awaitedBy);
    fetch.next = this.#latest.get(key);
    this.#latest.set(key, fetch);
    return fetch;
  }

  /** The one that such a request may wait for. */
  awaited(key: string, awaitedBy: string): Fetch | undefined {
    let fetch = this.#latest.get(key);
    while (fetch !== undefined && (fetch.landed || fetch.awaitedBy !== awaitedBy)) fetch = fetch.next;
    return fetch;
  }

  /** It has come to its end. Harmless for one that had before. */
  end(fetch: Fetch, landing: Landing): void {
    this.#remove(fetch);
    fetch.land(landing);
  }

  voidKey(key: string): void {
    for (let each = this.#latest.get(key); each !== undefined; each = each.next) each.voided = true;
  }

  voidWhere(matches: (fetch: Fetch) => boolean): void {
    for (const latest of this.#latest.values()) {
      for (let each: Fetch | undefined = latest; each !== undefined; each = each.next) {
        if (matches(each)) each.voided = true;
      }
    }
  }

  #remove(fetch: Fetch): void {
    const latest = this.#latest.get(fetch.key);
    if (latest === fetch) {
      if (fetch.next === undefined) this.#latest.delete(fetch.key);
      else this.#latest.set(fetch.key, fetch.next);
      return;
    }
    for (let each = latest; each !== undefined; each = each.next) {
      if (each.next === fetch) each.next = fetch.next;
    }
  }
}
