import type { Mistake } from '../../core/index.js';
import type { CircuitPolicy } from './circuit.js';
import type { FallbackOptions } from './fallback-options.js';

/** Options of the circuit breaker; durations in milliseconds. */
export interface CircuitBreakerOptions {
  readonly per: 'service' | 'target';
  readonly failureThreshold: number;
  readonly failureRatio?: number;
  readonly slowRatio?: number;
  readonly slowAfter: number;
  readonly window: number;
  readonly minimumCalls: number;
  /** `503`, `5xx`, `500-504`, or a number. */
  readonly statuses: readonly (string | number)[];
  readonly recoveryTimeout: number;
  readonly probes: number;
  readonly successThreshold: number;
  readonly fallback?: FallbackOptions;
}

/** What the circuits of a service go by. */
export interface BreakerPolicy extends CircuitPolicy {
  readonly per: 'service' | 'target';
  /** Statuses that count as failures. */
  readonly failures: ReadonlySet<number>;
  /** Milliseconds to the head of the response after which a call is slow; Infinity where that does not matter. */
  readonly slowAfter: number;
  /** The same for the same policy, so that a changed one starts with fresh circuits. */
  readonly key: string;
}

/** The policy of validated options. */
export function policyOf(options: CircuitBreakerOptions): BreakerPolicy {
  const { fallback: _, statuses, failureRatio, slowRatio, ...rest } = options;
  const failures = new Set(statuses.flatMap(expand));
  const slowAfter = slowRatio === undefined ? Number.POSITIVE_INFINITY : options.slowAfter;
  const policy = { ...rest, failureRatio, slowRatio, slowAfter };
  const key = JSON.stringify([
    Object.entries(policy).sort(([a], [b]) => (a < b ? -1 : 1)),
    [...failures].sort((a, b) => a - b),
  ]);
  return { ...policy, failures, key };
}

/**
 * What is wrong with options although their schema allows it.
 *
 * @param file where they stand, for messages
 */
export function contradictions(options: CircuitBreakerOptions, file: string): Mistake[] {
  const mistakes: Mistake[] = [];
  const { failureThreshold, failureRatio, slowRatio, statuses } = options;
  if (failureThreshold === 0 && failureRatio === undefined && slowRatio === undefined) {
    const expected = 'at least 1, or a failureRatio or slowRatio: nothing would ever open a circuit';
    mistakes.push({ file, path: 'failureThreshold', found: '0', expected });
  }
  for (const [index, status] of statuses.entries()) {
    if (expand(status).length > 0) continue;
    const expected = 'a range from the lower to the higher status';
    mistakes.push({ file, path: `statuses[${index}]`, found: JSON.stringify(status), expected });
  }
  return mistakes;
}

/** The statuses that one entry of the list stands for. */
function expand(form: string | number): number[] {
  const [from = '', to = from] = String(form).toLowerCase().split('-');
  const first = Number(from.replace('xx', '00'));
  const last = Number(to.replace('xx', '99'));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, offset) => first + offset);
}
