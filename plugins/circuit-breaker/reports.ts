import type { CircuitState } from './circuit.js';
import type { NamedCircuit } from './circuit-board.js';

/** From harmless to bad; also the values of the gauge. */
export const SEVERITY: Readonly<Record<CircuitState, number>> = { CLOSED: 0, HALF_OPEN: 1, OPEN: 2 };

/** The circuits of a service as one, in the requirements' shape: the worst state, and the most failures. */
export interface ServiceSummary {
  readonly state: CircuitState;
  readonly failure_count: number;
  /** ISO 8601, UTC. */
  readonly last_failure_time: string | null;
}

/** Sums the circuits of a service up. */
export function summarise(circuits: readonly NamedCircuit[]): ServiceSummary {
  let state: CircuitState = 'CLOSED';
  let failureCount = 0;
  let lastFailureTime: number | undefined;
  for (const { circuit } of circuits) {
    if (SEVERITY[circuit.state] > SEVERITY[state]) state = circuit.state;
    failureCount = Math.max(failureCount, circuit.failureCount);
    if ((circuit.lastFailureTime ?? 0) > (lastFailureTime ?? 0)) lastFailureTime = circuit.lastFailureTime;
  }
  return { state, failure_count: failureCount, last_failure_time: isoTime(lastFailureTime) };
}

/** A circuit for administrators. */
export function describe({ service, target, circuit }: NamedCircuit) {
  return {
    service,
    target: target ?? null,
    state: circuit.state,
    held: circuit.held,
    failure_count: circuit.failureCount,
    last_failure_time: isoTime(circuit.lastFailureTime),
    probes: circuit.probesUnderWay,
    retry_after: circuit.refuses ? Math.ceil(circuit.retryAfter / 1000) : null,
  };
}

function isoTime(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
