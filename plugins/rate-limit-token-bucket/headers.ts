import type { GatewayContext } from '../../core/index.js';
import type { Decision, TakeRequest } from './store.js';

/** Which fields tell clients of their limit. `Retry-After` comes with every refusal. */
export interface HeaderOptions {
  /** `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`. */
  readonly xRateLimit: boolean;
  /** `RateLimit` and `RateLimit-Policy`. */
  readonly rateLimit: boolean;
}

/**
 * Sets the fields that tell of a decision, all from its numbers. `X-RateLimit-Reset` and the `t` of `RateLimit`
 * (draft-ietf-httpapi-ratelimit-headers section 4) are the same seconds, and on a refusal those of `Retry-After`
 * (RFC 9110 section 10.2.3).
 */
export function setRateLimitHeaders(
  ctx: GatewayContext,
  decision: Decision,
  requests: readonly TakeRequest[],
  options: HeaderOptions,
): void {
  const { policy, remaining } = decision;
  // Not `ctx.set`: five fields are half a microsecond cheaper this way.
  const { res } = ctx;
  const seconds = resetSeconds(decision);
  if (options.xRateLimit) {
    res.setHeader('X-RateLimit-Limit', String(policy.burst));
    res.setHeader('X-RateLimit-Remaining', String(remaining));
    res.setHeader('X-RateLimit-Reset', String(seconds));
  }
  if (options.rateLimit) {
    res.setHeader('RateLimit-Policy', advertised(requests));
    res.setHeader('RateLimit', `"${policy.name}";r=${remaining};t=${seconds}`);
  }
}

/** Whole seconds, rounded up so that nobody comes back too early; at least 1. */
export function resetSeconds({ resetAfter }: Decision): number {
  return Math.max(1, Math.ceil(resetAfter / 1000));
}

function advertised(requests: readonly TakeRequest[]): string {
  const [first] = requests;
  return requests.length === 1 && first !== undefined
    ? first.policy.advertised
    : requests.map(({ policy }) => policy.advertised).join(', ');
}
