import type { Clock } from '../../clock.js';
import type { Exchange } from '../../exchange.js';
import type { UpstreamHead } from '../../plugin.js';
import type { Target } from '../../services/target.js';
import type { UpstreamResponse } from '../upstream-response.js';
import { AttemptTimeoutError, failureCause } from './failure.js';
import type { RetryPolicy } from './policy.js';
import { retryAfter } from './retry-after.js';

/** What came of one attempt. */
export interface Outcome {
  readonly target: Target;
  /** What the attempt wrappers let through; undefined when it failed. */
  readonly head: UpstreamHead | undefined;
  readonly failure: unknown;
  /** What the target sent; undefined when it was never asked. */
  readonly response: UpstreamResponse | undefined;
}

/** That a request may be tried again, and how. */
export interface Prospect {
  /** How long to wait before, in milliseconds. */
  readonly wait: number;
  /** Whether the target that failed is worth another try, where there is no other. */
  readonly anywhere: boolean;
}

/**
 * Whether and how a request may be tried again, by what came of it and by its method; undefined when it may not.
 *
 * @param round how many waits there were
 */
export function prospectOf(
  { head, response }: Outcome,
  exchange: Exchange,
  policy: RetryPolicy,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
  round: number,
): Prospect | undefined {
  if (response === undefined) return undefined;
  const repeats = policy.repeats(exchange.req.method ?? '');
  if (head !== undefined) {
    // Another head than the upstream's is a wrapper's own answer.
    if (head !== response || !repeats || !policy.retriesStatus(head.status)) return undefined;
    const asked = retryAfterOf(response, clock.now()) ?? 0;
    if (asked > policy.retryAfterMax) return undefined;
    return { wait: Math.max(asked, policy.backoff(round, random())), anywhere: true };
  }
  // A wrapper that throws although there is a head means it.
  if (response.headAt !== 0) return undefined;
  const cause = failureCause(response);
  if (cause === 'final' || !policy.retriesCause(cause, response.error instanceof AttemptTimeoutError))
    return undefined;
  if (response.connectedAt !== 0 && !repeats) return undefined;
  const wait = round === 0 && cause !== 'timeout' ? 0 : policy.backoff(round, random());
  return { wait, anywhere: cause === 'timeout' || policy.sameTarget || response.reused };
}

function retryAfterOf({ headers }: UpstreamResponse, now: number): number | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === 'retry-after') return retryAfter(headers[i + 1] ?? '', now);
  }
  return undefined;
}
