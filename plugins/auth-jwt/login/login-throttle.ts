import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../core/index.js';

/** How many logins may fail. */
export interface LoginThrottleOptions {
  readonly perUser: number;
  readonly perAddress: number;
  /** Milliseconds from the first failure on. */
  readonly window: number;
}

interface Failures {
  count: number;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Names and addresses that are kept; the ones longest unseen go first. */
const MOST_ENTRIES = 100_000;

/**
 * Counts failed logins, per user and per address. From an address that a user has logged in from before, the user is
 * counted apart: a stranger who guesses cannot lock the user out there.
 */
export class LoginThrottle {
  readonly #options: LoginThrottleOptions;
  readonly #clock: Clock;
  readonly #failures = new LRUCache<string, Failures>({ max: MOST_ENTRIES });
  readonly #familiar = new LRUCache<string, true>({ max: MOST_ENTRIES });

  constructor(options: LoginThrottleOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Counts an attempt as failed before its outcome is known, so that many at once get no more guesses than one after
   * the other.
   *
   * @returns 0 when the attempt may be made, else the milliseconds to wait
   */
  begin(username: string, address: string): number {
    const { perUser, perAddress } = this.#options;
    const keys = this.#keys(username, address);
    const wait = Math.max(this.#wait(keys.user, perUser), this.#wait(keys.address, perAddress));
    if (wait > 0) return wait;
    this.#count(keys.user, 1);
    this.#count(keys.address, 1);
    return 0;
  }

  /** The attempt succeeded: the user starts afresh, and the address gets this one attempt back. */
  succeeded(username: string, address: string): void {
    const keys = this.#keys(username, address);
    this.#failures.delete(keys.user);
    this.#count(keys.address, -1);
    this.#familiar.set(keys.pair, true);
  }

  /** The attempt was not made after all. */
  cancelled(username: string, address: string): void {
    const keys = this.#keys(username, address);
    this.#count(keys.user, -1);
    this.#count(keys.address, -1);
  }

  #wait(key: string, limit: number): number {
    const failures = this.#failures.get(key);
    if (failures === undefined || failures.count < limit) return 0;
    return Math.max(failures.until - this.#clock.monotonic(), 0);
  }

  #count(key: string, change: number): void {
    const now = this.#clock.monotonic();
    const failures = this.#failures.get(key);
    if (failures !== undefined && now < failures.until) failures.count = Math.max(failures.count + change, 0);
    else if (change > 0) this.#failures.set(key, { count: change, until: now + this.#options.window });
  }

  #keys(username: string, address: string): { user: string; address: string; pair: string } {
    const user = createHash('sha256').update(username.normalize('NFC')).digest('base64url');
    const network = networkOf(address);
    const pair = `${user} ${network}`;
    return { user: this.#familiar.has(pair) ? pair : user, address: network, pair };
  }
}

/** An IPv4 address, or the /64 of an IPv6 one, which belongs to one customer as a whole. */
function networkOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? `${parsed.parts.slice(0, 4).join(':')}/64` : parsed.toString();
}
