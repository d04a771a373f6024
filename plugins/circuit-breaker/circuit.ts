import type { Clock } from '../../core/index.js';
import { SlidingWindow } from './sliding-window.js';

/** Closed lets calls pass, open refuses them, half-open lets a few pass to see how they fare. */
export type CircuitState = 'CLOSED' | 'OPEN' | 'HALF_OPEN';

/** When a circuit opens, and how it closes again. */
export interface CircuitPolicy {
  /** Failures in a row that open it; 0 for any number. */
  readonly failureThreshold: number;
  /** Share of failures in the window that opens it, above 0, at most 1; undefined for any. */
  readonly failureRatio: number | undefined;
  /** Share of slow calls in the window that opens it, above 0, at most 1; undefined for any. */
  readonly slowRatio: number | undefined;
  /** Milliseconds. */
  readonly window: number;
  /** Calls in the window from which on its shares mean anything; at least 1. */
  readonly minimumCalls: number;
  /** Milliseconds from opening to the first probe. */
  readonly recoveryTimeout: number;
  /** Most probes at a time; at least 1. */
  readonly probes: number;
  /** Successes of probes that close it; at least 1. */
  readonly successThreshold: number;
}

/** Why a circuit changed its state. */
export type TransitionReason =
  | 'failures in a row'
  | 'failure ratio'
  | 'slow calls'
  | 'recovery timeout'
  | 'probes succeeded'
  | 'a probe failed'
  | 'a probe was slow'
  | 'administrator';

/** A change of state. */
export interface Transition {
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly reason: TransitionReason;
}

/** Instead of a permit. */
export const REFUSED = -1;

/** What a refused caller is told where nobody knows how long the probes under way will take, in milliseconds. */
const PROBES_UNDER_WAY = 1000;

/**
 * A circuit breaker. {@link admit} gives each call a permit or refuses it; the permit goes back with the outcome: to
 * {@link succeed}, {@link fail} or, where the call says nothing about the upstream, {@link release}. A permit is void once the
 * circuit has changed its state: what comes of an older call says nothing about the present.
 *
 * There is no timer: whether it is time for a probe is worked out when a call asks.
 */
export class Circuit {
  readonly #policy: CircuitPolicy;
  readonly #clock: Clock;
  readonly #onTransition: (transition: Transition) => void;
  readonly #window: SlidingWindow | undefined;
  #state: CircuitState = 'CLOSED';
  /** The permit of the present state. */
  #permit = 0;
  #held = false;
  #failureCount = 0;
  #lastFailureTime: number | undefined = undefined;
  /** Monotonic. */
  #openedAt = 0;
  #probesUnderWay = 0;
  /** Monotonic. */
  #lastProbeAt = 0;
  #successes = 0;

  /** @param onTransition is told of each change of state, after it; must not throw */
  constructor(policy: CircuitPolicy, clock: Clock, onTransition: (transition: Transition) => void) {
    this.#policy = policy;
    this.#clock = clock;
    this.#onTransition = onTransition;
    const usesWindow = policy.failureRatio !== undefined || policy.slowRatio !== undefined;
    this.#window = usesWindow ? new SlidingWindow(policy.window) : undefined;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether an administrator holds it in its state. */
  get held(): boolean {
    return this.#held;
  }

  /** Failures since the last success. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /** Milliseconds since the epoch. */
  get lastFailureTime(): number | undefined {
    return this.#lastFailureTime;
  }

  get probesUnderWay(): number {
    return this.#probesUnderWay;
  }

  /** Whether {@link admit} would refuse a call now. */
  get refuses(): boolean {
    if (this.#state === 'CLOSED') return false;
    if (this.#held) return true;
    const { recoveryTimeout, probes } = this.#policy;
    const now = this.#clock.monotonic();
    if (this.#state === 'OPEN') return now - this.#openedAt < recoveryTimeout;
    // Probes that never end must not keep it half-open for ever.
    return this.#probesUnderWay >= probes && now - this.#lastProbeAt < recoveryTimeout;
  }

  /** Milliseconds after which a refused call may be tried again. */
  get retryAfter(): number {
    const { recoveryTimeout } = this.#policy;
    if (this.#held) return recoveryTimeout;
    if (this.#state === 'HALF_OPEN') return PROBES_UNDER_WAY;
    return Math.max(0, this.#openedAt + recoveryTimeout - this.#clock.monotonic());
  }

  /** A permit for a call, or {@link REFUSED}. */
  admit(): number {
    if (this.#state === 'CLOSED') return this.#permit;
    if (this.refuses) return REFUSED;
    if (this.#state === 'OPEN') this.#enter('HALF_OPEN', 'recovery timeout');
    else if (this.#probesUnderWay >= this.#policy.probes) this.#giveUpProbes();
    this.#probesUnderWay++;
    this.#lastProbeAt = this.#clock.monotonic();
    return this.#permit;
  }

  /** The call with this permit went well. */
  succeed(permit: number, slow = false): void {
    if (permit !== this.#permit) return;
    if (this.#state === 'HALF_OPEN') {
      this.#probesUnderWay--;
      if (slow && this.#policy.slowRatio !== undefined) this.#enter('OPEN', 'a probe was slow');
      else if (++this.#successes >= this.#policy.successThreshold) this.#enter('CLOSED', 'probes succeeded');
      return;
    }
    this.#failureCount = 0;
    if (this.#window !== undefined) this.#weigh(this.#window, false, slow);
  }

  /** The call with this permit failed; may also be said of one that had seemed to succeed. */
  fail(permit: number, slow = false): void {
    if (permit !== this.#permit) return;
    this.#failureCount++;
    this.#lastFailureTime = this.#clock.now();
    if (this.#state === 'HALF_OPEN') {
      this.#enter('OPEN', 'a probe failed');
      return;
    }
    if (this.#window !== undefined) this.#weigh(this.#window, true, slow);
    const { failureThreshold } = this.#policy;
    if (this.#held || failureThreshold === 0 || this.#failureCount < failureThreshold) return;
    if (this.#state === 'CLOSED') this.#enter('OPEN', 'failures in a row');
  }

  /** The call with this permit ended without saying anything about the upstream. */
  release(permit: number): void {
    if (permit === this.#permit && this.#state === 'HALF_OPEN') this.#probesUnderWay--;
  }

  /** Keeps it open or closed, whatever happens, until it is held in the other state or {@link reset}. */
  hold(state: 'OPEN' | 'CLOSED'): void {
    this.#held = true;
    if (this.#state !== state) this.#enter(state, 'administrator');
  }

  /** Closes it, and forgets everything. */
  reset(): void {
    this.#held = false;
    if (this.#state !== 'CLOSED') this.#enter('CLOSED', 'administrator');
    this.#permit++;
    this.#failureCount = 0;
    this.#lastFailureTime = undefined;
    this.#window?.clear();
  }

  #weigh(window: SlidingWindow, failed: boolean, slow: boolean): void {
    window.add(this.#clock.monotonic(), failed, slow);
    const { minimumCalls, failureRatio, slowRatio } = this.#policy;
    if (this.#held || window.calls < minimumCalls) return;
    if (failureRatio !== undefined && window.failureRatio >= failureRatio)
      this.#enter('OPEN', 'failure ratio');
    else if (slowRatio !== undefined && window.slowRatio >= slowRatio) this.#enter('OPEN', 'slow calls');
  }

  /** The slots of probes that have not come back for so long are given to others; their permits are void. */
  #giveUpProbes(): void {
    this.#permit++;
    this.#probesUnderWay = 0;
  }

  #enter(to: CircuitState, reason: TransitionReason): void {
    const from = this.#state;
    this.#state = to;
    this.#permit++;
    this.#probesUnderWay = 0;
    this.#successes = 0;
    if (to === 'OPEN') this.#openedAt = this.#clock.monotonic();
    if (to === 'CLOSED') {
      this.#failureCount = 0;
      this.#window?.clear();
    }
    this.#onTransition({ from, to, reason });
  }
}
