import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock.js';
import type { ConcurrencySettings } from '../../config/service-schema.js';
import { GatewayError } from '../../errors.js';
import type { Exchange } from '../../exchange.js';
import type { Due } from '../due-queue.js';
import { DueTimer } from '../due-timer.js';
import type { Target } from '../target.js';
import { AdaptiveLimit } from './adaptive-limit.js';

/** What an {@link Admission} needs to know of a request: when its client is gone. */
export type Admitted = Pick<Exchange, 'onFinished'>;

interface Waiter extends Due {
  readonly target: Target;
  readonly resolve: () => void;
  readonly reject: (error: GatewayError) => void;
}

/**
 * Limits the attempts under way to a service and to each of its targets. What is over a limit waits in one bounded
 * queue, first in, first out; one that waits for a target with room is not held up by those that wait for another.
 * Lives as long as the service has limits: a reload only gives it other ones.
 */
export class Admission {
  readonly #clock: Clock;
  readonly #timer: DueTimer<Waiter>;
  /** In the order of their arrival. */
  readonly #waiters = new Set<Waiter>();
  #limit = Number.POSITIVE_INFINITY;
  #mostWaiting = 0;
  #maxWait = 0;
  #inFlight = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = new DueTimer(clock, (waiter) => {
      this.#waiters.delete(waiter);
      waiter.reject(this.#refusal());
    });
  }

  /** Attempts that were let in and have not left. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Attempts that wait to be let in. */
  get queueLength(): number {
    return this.#waiters.size;
  }

  /** The most that may be in flight to the service as a whole; Infinity for no limit. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Sets limits, and lets in who waits for no more than the old ones. An adaptive limit whose settings stay the same
   * goes on from where it is.
   *
   * @param settings undefined to lift all limits
   */
  configure(settings: ConcurrencySettings | undefined, targets: readonly Target[]): void {
    this.#limit = settings?.limit || Number.POSITIVE_INFINITY;
    this.#mostWaiting = settings?.queue ?? 0;
    this.#maxWait = settings?.maxWait ?? 0;
    for (const target of targets) this.#limitTarget(target, settings);
    this.#letIn(undefined);
  }

  /**
   * Asks to be let in.
   *
   * @returns undefined when let in at once; otherwise a promise that is fulfilled when it is, and rejected with a
   *   GatewayError: SERVICE_UNAVAILABLE where the queue is full or the wait too long, CLIENT_CLOSED_REQUEST when the
   *   client is gone. Who was let in must {@link leave} once, whoever was not must not.
   */
  enter(target: Target, exchange: Admitted): Promise<void> | undefined {
    // Whoever waits lacks the room that is asked for here, or would have been let in: nobody is overtaken.
    if (this.#inFlight < this.#limit && !target.full) {
      this.#inFlight++;
      target.admitted++;
      return undefined;
    }
    return this.#wait(target, exchange);
  }

  /**
   * Makes room.
   *
   * @param latencyMs from being let in to the head of the response, or to its failure
   * @param ok whether the latency is that of a target that works; undefined where it says nothing of the target, as when
   *   the client left
   */
  leave(target: Target, latencyMs: number, ok: boolean | undefined): void {
    const wasFull = this.#inFlight >= this.#limit;
    const { limiter } = target;
    if (limiter !== undefined && ok !== undefined) {
      limiter.sample(latencyMs, target.admitted, ok);
      target.capacity = limiter.limit;
    }
    this.#inFlight--;
    target.admitted--;
    if (this.#waiters.size > 0) this.#letIn(wasFull ? undefined : target);
  }

  #limitTarget(target: Target, settings: ConcurrencySettings | undefined): void {
    const fixed = settings?.perTarget || Number.POSITIVE_INFINITY;
    const adaptive = settings?.adaptive;
    const { limiter } = target;
    if (adaptive === undefined) target.limiter = undefined;
    else if (limiter?.ceiling !== fixed || !isDeepStrictEqual(limiter.settings, adaptive)) {
      target.limiter = new AdaptiveLimit(adaptive, this.#clock, fixed);
    }
    target.capacity = target.limiter?.limit ?? fixed;
  }

  async #wait(target: Target, exchange: Admitted): Promise<void> {
    if (this.#waiters.size >= this.#mostWaiting) throw this.#refusal();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { target, resolve, reject, dueAt: 0, heapIndex: -1 };
      this.#waiters.add(waiter);
      this.#timer.set(waiter, this.#clock.monotonic() + this.#maxWait);
      exchange.onFinished(() => {
        if (!this.#waiters.delete(waiter)) return;
        this.#timer.delete(waiter);
        reject(new GatewayError('CLIENT_CLOSED_REQUEST'));
      });
    });
  }

  /** @param only the one target where there is new room, undefined where all may have it */
  #letIn(only: Target | undefined): void {
    for (const waiter of this.#waiters) {
      if (this.#inFlight >= this.#limit || only?.full) return;
      const { target } = waiter;
      if (target.full) continue;
      this.#waiters.delete(waiter);
      this.#timer.delete(waiter);
      this.#inFlight++;
      target.admitted++;
      waiter.resolve();
    }
  }

  #refusal(): GatewayError {
    const seconds = Math.max(Math.ceil(this.#maxWait / 1000), 1);
    return new GatewayError('SERVICE_UNAVAILABLE', { headers: { 'retry-after': String(seconds) } });
  }
}

/** Whether settings limit anything. */
export function limitsAnything(settings: ConcurrencySettings | undefined): settings is ConcurrencySettings {
  return (
    settings !== undefined &&
    (settings.limit > 0 || settings.perTarget > 0 || settings.adaptive !== undefined)
  );
}
