import { isGatewayError } from '../errors.js';
import type { GatewayContext } from '../plugin.js';

/** Why a request was refused: no credential, a bad one, an expired one, one that is not enough, or nobody to check it. */
type AuthenticationFailure = 'missing' | 'invalid' | 'expired' | 'forbidden' | 'unavailable';

declare module '../exchange.js' {
  interface Decisions {
    /** Why authentication refused the request. */
    auth_failure: AuthenticationFailure;
  }
}

/**
 * Runs the part of the decision on a request that an authentication plugin has, and notes why the request was refused if it is.
 * Of several plugins the last decides, but the reason is that of the plugin whose error is the answer.
 *
 * @param shown whether the plugin was shown a credential
 * @throws whatever `decide` throws
 */
export function notingFailure(ctx: GatewayContext, shown: boolean, decide: () => void): void {
  try {
    decide();
  } catch (failure) {
    const answered = ctx.state.authentication?.refusals[0]?.shown ?? shown;
    const reason = reasonOf(failure, answered);
    if (reason !== undefined) ctx.gateway.decide('auth_failure', reason);
    throw failure;
  }
}

function reasonOf(failure: unknown, shown: boolean): AuthenticationFailure | undefined {
  if (!isGatewayError(failure)) return undefined;
  if (failure.code === 'FORBIDDEN') return 'forbidden';
  if (failure.code === 'SERVICE_UNAVAILABLE') return 'unavailable';
  if (!shown) return 'missing';
  const { cause } = failure;
  return cause instanceof Error && 'reason' in cause && cause.reason === 'expired' ? 'expired' : 'invalid';
}
