import type { CircuitPolicy, CircuitState } from '../../../plugins/circuit-breaker/circuit.js';

const SLICES = 16;

/** A call as the model sees it. */
export interface ModelCall {
  readonly period: object;
}

export type Outcome = 'ok' | 'slow' | 'failed' | 'slow failure' | 'neutral';

/**
 * A circuit breaker written for being understood: it keeps every outcome and counts anew each time. The real one is held
 * against it.
 */
export class CircuitModel {
  state: CircuitState = 'CLOSED';
  held = false;
  lastFailure: number | undefined;
  trips = 0;
  /** Outcomes of calls, until the circuit closes or is reset. */
  #outcomes: { at: number; failed: boolean; slow: boolean; closed: boolean }[] = [];
  #period: object = {};
  #underWay = new Set<ModelCall>();
  #openedAt = 0;
  #lastProbe = 0;
  #wins = 0;
  readonly #policy: CircuitPolicy;

  constructor(policy: CircuitPolicy) {
    this.#policy = policy;
  }

  get failuresInARow(): number {
    const lastGood = this.#outcomes.findLastIndex(({ failed, closed }) => !failed && closed);
    return this.#outcomes.slice(lastGood + 1).filter(({ failed }) => failed).length;
  }

  get probes(): number {
    return this.#underWay.size;
  }

  admit(now: number): ModelCall | undefined {
    if (this.state === 'CLOSED') return { period: this.#period };
    if (this.held) return undefined;
    if (this.state === 'OPEN') {
      if (now < this.#openedAt + this.#policy.recoveryTimeout) return undefined;
      this.#become('HALF_OPEN');
    } else if (this.#underWay.size >= this.#policy.probes) {
      if (now < this.#lastProbe + this.#policy.recoveryTimeout) return undefined;
      this.#period = {};
      this.#underWay.clear();
    }
    const call = { period: this.#period };
    this.#underWay.add(call);
    this.#lastProbe = now;
    return call;
  }

  end(call: ModelCall, outcome: Outcome, now: number): void {
    if (call.period !== this.#period) return;
    const isProbe = this.state === 'HALF_OPEN';
    this.#underWay.delete(call);
    if (outcome === 'neutral') return;
    const failed = outcome === 'failed' || outcome === 'slow failure';
    const slow = outcome.startsWith('slow');
    if (failed) this.lastFailure = now;
    this.#outcomes.push({ at: now, failed, slow, closed: !isProbe });
    if (isProbe) {
      if (failed || (slow && this.#policy.slowRatio !== undefined)) this.#open(now);
      else if (++this.#wins === this.#policy.successThreshold) this.#become('CLOSED');
    } else if (!this.held && this.#isTooMuch(now, failed)) {
      this.#open(now);
    }
  }

  hold(state: 'OPEN' | 'CLOSED'): void {
    this.held = true;
    if (this.state !== state) this.#become(state);
  }

  reset(): void {
    this.held = false;
    this.#become('CLOSED');
    this.lastFailure = undefined;
  }

  #isTooMuch(now: number, failed: boolean): boolean {
    const { failureThreshold, failureRatio, slowRatio, minimumCalls, window } = this.#policy;
    if (failed && failureThreshold > 0 && this.failuresInARow >= failureThreshold) return true;
    const slice = (at: number) => Math.floor(at / (window / SLICES));
    const inside = this.#outcomes.filter(({ at }) => slice(at) > slice(now) - SLICES);
    if (inside.length < minimumCalls) return false;
    const share = (part: number) => part / inside.length;
    return (
      (failureRatio !== undefined && share(inside.filter((each) => each.failed).length) >= failureRatio) ||
      (slowRatio !== undefined && share(inside.filter((each) => each.slow).length) >= slowRatio)
    );
  }

  #open(now: number): void {
    this.trips++;
    this.#openedAt = now;
    this.#become('OPEN');
  }

  #become(state: CircuitState): void {
    this.state = state;
    this.#period = {};
    this.#underWay.clear();
    this.#wins = 0;
    if (state === 'CLOSED') this.#outcomes = [];
  }
}
