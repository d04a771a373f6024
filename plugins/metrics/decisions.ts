import type { GatewayRequest } from '../../core/index.js';
import type { Family } from './exposition.js';
import { labelText } from './labels.js';

/** A metric that counts what plugins decided on requests (`exchange.decisions`). */
interface DecisionMetric extends Family {
  /** The key of the decision. */
  readonly decision: string;
  /** The label that the decided value becomes. */
  readonly label: string;
}

/** Values beyond so many of one decision count as another one: no plugin makes series without end. */
const MOST_VALUES = 32;
const OTHER = 'other';

/** What is counted; a further decision is a further entry. */
export const DECISION_METRICS: readonly DecisionMetric[] = [
  {
    decision: 'rate_limit',
    label: 'decision',
    name: 'gateway_rate_limit_decisions_total',
    help: 'Requests by what the rate limit decided on them.',
    type: 'counter',
  },
  {
    decision: 'auth_failure',
    label: 'reason',
    name: 'gateway_auth_failures_total',
    help: 'Requests that were refused for want of authentication or permission, by reason.',
    type: 'counter',
  },
  {
    decision: 'cache',
    label: 'result',
    name: 'gateway_cache_requests_total',
    help: 'Requests by what the response cache had for them.',
    type: 'counter',
  },
  {
    decision: 'circuit',
    label: 'state',
    name: 'gateway_circuit_breaker_requests_total',
    help: 'Requests by the state that they found the circuit of their service in.',
    type: 'counter',
  },
  {
    decision: 'compression',
    label: 'encoding',
    name: 'gateway_compressed_responses_total',
    help: 'Responses by the encoding that the gateway gave them.',
    type: 'counter',
  },
  {
    decision: 'fault',
    label: 'fault',
    name: 'gateway_faults_injected_total',
    help: 'Requests that a fault was injected into.',
    type: 'counter',
  },
  {
    decision: 'split',
    label: 'to',
    name: 'gateway_split_requests_total',
    help: 'Requests that a traffic split led to a service.',
    type: 'counter',
  },
];

/** How often a value was decided. */
interface DecisionCount {
  readonly value: string;
  readonly labels: string;
  count: number;
}

/** How often each value of each decision was met; for one service. */
export class DecisionCounts {
  readonly #labels: string;
  readonly #counts: readonly Map<string, DecisionCount>[] = DECISION_METRICS.map(() => new Map());

  /** @param labels of the service, as labelText() wrote them */
  constructor(labels: string) {
    this.#labels = labels;
  }

  count(request: GatewayRequest): void {
    const decisions: Readonly<Record<string, unknown>> = request.decisions;
    for (let i = 0; i < DECISION_METRICS.length; i++) {
      const value = decisions[DECISION_METRICS[i]?.decision ?? ''];
      if (typeof value === 'string') this.#countOf(i, value).count++;
    }
  }

  /** @param index of the metric in {@link DECISION_METRICS} */
  of(index: number): Iterable<DecisionCount> {
    return this.#counts[index]?.values() ?? [];
  }

  #countOf(index: number, value: string): DecisionCount {
    const counts = this.#counts[index];
    const known = counts?.get(value);
    if (known !== undefined) return known;
    if (counts !== undefined && counts.size >= MOST_VALUES && value !== OTHER) {
      return this.#countOf(index, OTHER);
    }
    const label = labelText({ [DECISION_METRICS[index]?.label ?? '']: value });
    const made = { value, labels: `${this.#labels},${label}`, count: 0 };
    counts?.set(value, made);
    return made;
  }
}
