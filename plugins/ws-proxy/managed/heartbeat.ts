import { randomBytes } from 'node:crypto';
import { Kind, type Outbox } from './outbox.js';
import type { Peer } from './peer.js';

/** When a silent side is asked whether it is there, in milliseconds; an interval of 0 is never. */
export interface HeartbeatOptions {
  readonly interval: number;
  readonly timeout: number;
}

/** Finds out which sides are gone without having said so, by pings of the gateway's own. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #payload: Buffer | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Whether a pong answers one of these pings, and so is nobody else's. */
  isOwn(pong: Buffer): boolean {
    return this.#payload?.equals(pong) === true;
  }

  /** Whether a side has not answered in time; pings it when it was silent for long. */
  isDead(peer: Peer, outbox: Outbox, now: number): boolean {
    const { interval, timeout } = this.#options;
    // One that is not read cannot be heard.
    if (interval === 0 || peer.isHeld || !peer.isOpen) return false;
    if (peer.pingedAt > 0) return now - peer.pingedAt >= timeout;
    if (now - peer.seenAt < interval) return false;
    // Nobody can guess it, so that no pong is swallowed that was meant for the other side.
    this.#payload ??= randomBytes(8);
    peer.pingedAt = now;
    outbox.push(this.#payload, Kind.PING);
    return false;
  }
}
