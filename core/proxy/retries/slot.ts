import type { Clock } from '../../clock.js';
import type { Admission } from '../../services/limits/admission.js';
import type { Target } from '../../services/target.js';
import { UpstreamAttempt } from '../upstream-attempt.js';
import type { UpstreamResponse } from '../upstream-response.js';
import { verdictOn } from './verdict.js';

/** The place of one attempt among those that a service's admission has let in; given back once. */
export class Slot {
  readonly #admission: Admission;
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #enteredAt: number;
  #response: UpstreamResponse | undefined;
  #answer: { readonly at: number; readonly status: number } | undefined;
  #left = false;

  constructor(admission: Admission, target: Target, clock: Clock) {
    this.#admission = admission;
    this.#target = target;
    this.#clock = clock;
    this.#enteredAt = clock.monotonic();
  }

  /** The response that the place is kept for. */
  keepFor(response: UpstreamResponse): void {
    this.#response = response;
  }

  /** Notes the answer to an upgrade, which has no response of that kind. */
  answered(status: number): void {
    this.#answer = { at: this.#clock.monotonic(), status };
  }

  /** Gives the place back, when the response has ended or none was asked for. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    const answeredAt = this.#answer?.at ?? this.#response?.headAt ?? 0;
    const until = answeredAt === 0 ? this.#clock.monotonic() : answeredAt;
    this.#admission.leave(this.#target, until - this.#enteredAt, this.#works());
  }

  /** Undefined where the attempt says nothing of the target: it was refused before it was sent, or the client left. */
  #works(): boolean | undefined {
    if (this.#answer !== undefined) return this.#answer.status < 500;
    const verdict = this.#response === undefined ? 'nothing' : verdictOn(this.#response);
    return verdict === 'nothing' ? undefined : verdict === 'works';
  }
}

/** The books of an attempt that holds a {@link Slot}. */
export class LimitedAttempt extends UpstreamAttempt {
  readonly #slot: Slot;

  constructor(slot: Slot, ...rest: ConstructorParameters<typeof UpstreamAttempt>) {
    super(...rest);
    this.#slot = slot;
  }

  override onSettled(): void {
    super.onSettled();
    this.#slot.leave();
  }
}
