import type { Clock } from '../../clock.js';
import { GatewayError, isGatewayError } from '../../errors.js';
import type { AttemptUpgrade, AttemptWrapper, UpstreamHead } from '../../plugin.js';
import type { Target } from '../../services/target.js';
import type { RequestHeadWriter } from '../request-head.js';
import { Slot } from './slot.js';
import { verdictOnFailure } from './verdict.js';

/**
 * Builds the attempts of upgrades on one route; see {@link AttemptUpgrade}. An upgrade takes a place under the service's
 * limits until it is answered, not for as long as the connection is open. It is not retried here: the handler may.
 */
export function upgradeAttempts(
  wrappers: readonly AttemptWrapper[],
  head: Pick<RequestHeadWriter, 'write'>,
  clock: Clock,
): AttemptUpgrade {
  return async (exchange, connect, tried = []) => {
    const { service } = exchange;
    const avoided = [...tried];
    for (let refusal: unknown; ; ) {
      const target = service.pick(exchange, avoided);
      if (target === undefined) throw refusal ?? new GatewayError('SERVICE_UNAVAILABLE');
      if (refusal !== undefined && avoided.includes(target)) throw refusal;
      avoided.push(target);
      const { admission } = service;
      await admission?.enter(target, exchange);
      const slot = admission && new Slot(admission, target, clock);
      exchange.target = target;
      const attempt = { exchange, target, number: exchange.attempts + 1 };
      const run = wrappers.reduceRight<() => Promise<UpstreamHead>>(
        (inner, wrapper) => () => wrapper(attempt, inner),
        () => {
          exchange.attempts++;
          return judged(target, slot, connect(target, head.write(exchange)));
        },
      );
      try {
        return await run();
      } catch (failure) {
        if (!isGatewayError(failure) || !failure.anotherTarget) throw failure;
        refusal = failure;
      } finally {
        slot?.leave();
      }
    }
  };
}

/** What the answer to an upgrade, or its failure, says of the target. */
async function judged(
  target: Target,
  slot: Slot | undefined,
  answer: Promise<UpstreamHead>,
): Promise<UpstreamHead> {
  try {
    const head = await answer;
    target.outlier?.record(head.status < 500);
    slot?.answered(head.status);
    return head;
  } catch (failure) {
    if (verdictOnFailure(failure) === 'fails') target.outlier?.record(false);
    throw failure;
  }
}
