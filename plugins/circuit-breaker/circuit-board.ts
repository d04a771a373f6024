import type { Clock, Service, Target } from '../../core/index.js';
import { Circuit } from './circuit.js';
import type { Ledger } from './ledger.js';
import type { BreakerPolicy } from './policy.js';

/** A circuit, and whose it is. */
export interface NamedCircuit {
  readonly service: string;
  /** Origin of the target, where the circuit is a target's. */
  readonly target: string | undefined;
  readonly circuit: Circuit;
}

/**
 * The circuits that go by one policy, made when they are first asked for. One per service goes by its name, so that it outlives a
 * changed declaration; one per target goes with its target.
 */
export class CircuitBoard {
  readonly policy: BreakerPolicy;
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  readonly #byService = new Map<string, Circuit>();
  readonly #byTarget = new WeakMap<Target, Circuit>();

  constructor(policy: BreakerPolicy, clock: Clock, ledger: Ledger) {
    this.policy = policy;
    this.#clock = clock;
    this.#ledger = ledger;
  }

  ofService(service: string): Circuit {
    const known = this.#byService.get(service);
    if (known !== undefined) return known;
    const made = this.#make(service, undefined);
    this.#byService.set(service, made);
    return made;
  }

  ofTarget(service: string, target: Target): Circuit {
    const known = this.#byTarget.get(target);
    if (known !== undefined) return known;
    const made = this.#make(service, target.url);
    this.#byTarget.set(target, made);
    return made;
  }

  /** All circuits of a service. */
  list({ name, targets }: Service): NamedCircuit[] {
    if (this.policy.per === 'service')
      return [{ service: name, target: undefined, circuit: this.ofService(name) }];
    return targets.map((target) => ({
      service: name,
      target: target.url,
      circuit: this.ofTarget(name, target),
    }));
  }

  /** The service is gone; those of its targets go with them. */
  forget(service: string): void {
    this.#byService.delete(service);
  }

  #make(service: string, target: string | undefined): Circuit {
    return new Circuit(this.policy, this.#clock, (transition) =>
      this.#ledger.note(service, target, transition),
    );
  }
}
