import {
  backgroundContext,
  type Clock,
  type GatewayContext,
  GatewayError,
  type Logger,
} from '../../core/index.js';
import { arrivalOf } from './arrival.js';
import type { CacheState } from './cache-state.js';
import { clearConditions, setConditions } from './conditions.js';
import { isFailureStatus, landingOf, servesOnFailure } from './failures.js';
import type { Fetch } from './fetches.js';
import type { Lookup } from './lookup.js';
import type { StoredResponse } from './stored-response.js';
import type { Storing } from './storing.js';

type Run = (ctx: GatewayContext) => Promise<void>;

/** Fetches stale responses anew while they are still served (RFC 5861 section 3), each once at a time. */
export class BackgroundRefresh {
  readonly #state: CacheState;
  readonly #storing: Storing;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(state: CacheState, storing: Storing, clock: Clock, logger: Logger) {
    this.#state = state;
    this.#clock = clock;
    this.#storing = storing;
    this.#logger = logger;
  }

  /** @param inner what stands inside the cache */
  start(ctx: GatewayContext, inner: Run, lookup: Lookup, stored: StoredResponse): void {
    const { fetches } = this.#state;
    if (fetches.awaited(lookup.key, lookup.sharedVariant) !== undefined) return;
    const background = backgroundContext(ctx);
    clearConditions(background.gateway);
    setConditions(background.gateway, stored);
    const fetch = fetches.begin(lookup.key, background.gateway.service.name, lookup.sharedVariant);
    this.#refresh(background, inner, lookup, fetch, stored).catch((failure: unknown) => {
      this.#state.statistics.backgroundFailures++;
      fetches.end(fetch, landingOf(failure));
      this.#logger.debug({ err: failure, key: lookup.key }, 'A stale response could not be refreshed');
    });
  }

  async #refresh(
    background: GatewayContext,
    inner: Run,
    lookup: Lookup,
    fetch: Fetch,
    stored: StoredResponse,
  ): Promise<void> {
    await inner(background);
    const arrival = arrivalOf(background, [], lookup, fetch);
    let isWanted = false;
    const status = arrival?.upstream.status ?? 0;
    if (isFailureStatus(status) && servesOnFailure(stored, this.#clock.monotonic())) {
      background.gateway.upstream?.abort(new Error('The stored response is better'));
      throw new GatewayError('BAD_GATEWAY', { message: `The upstream answered with ${status}` });
    }
    if (arrival !== undefined && status === 304) {
      this.#storing.freshen(arrival, stored);
    } else if (arrival !== undefined && background.method === 'HEAD') {
      this.#storing.freshenByHead(arrival, stored);
    } else if (arrival !== undefined) {
      this.#storing.record(arrival, stored, (recorder) => {
        isWanted = true;
        arrival.upstream.attach(recorder);
      });
    }
    if (isWanted) return;
    this.#state.fetches.end(fetch, 'unusable');
    background.gateway.upstream?.abort(new Error('Nobody waits for the response'));
  }
}
