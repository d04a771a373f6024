import { type Clock, type GatewayContext, GatewayError } from '../../core/index.js';
import type { Answers } from './answers.js';
import type { CacheState } from './cache-state.js';
import { wantsWhole } from './conditions.js';
import { sameFailure } from './failures.js';
import type { Fetch } from './fetches.js';
import type { Lookup } from './lookup.js';
import { NO_WISHES } from './request-wishes.js';
import type { StoredResponse } from './stored-response.js';

/** How equal requests wait for each other. */
export interface CoalesceOptions {
  readonly enabled: boolean;
  /** For how long, in milliseconds. */
  readonly wait: number;
  /** How many for one. */
  readonly maxWaiting: number;
}

/** How often a request waits for others before it goes to the upstream by itself. */
const MOST_WAITS = 4;

/** Lets equal requests wait for one response. */
export class Coalescing {
  readonly #state: CacheState;
  readonly #clock: Clock;
  readonly #answers: Answers;
  readonly #options: CoalesceOptions;

  constructor(state: CacheState, clock: Clock, answers: Answers, options: CoalesceOptions) {
    this.#state = state;
    this.#clock = clock;
    this.#answers = answers;
    this.#options = options;
  }

  /** Whether equal requests wait for each other: not for a while after a response that could not be shared. */
  applies(lookup: Lookup): boolean {
    if (!this.#options.enabled) return false;
    if (this.#state.unshared.size === 0) return true;
    const until = this.#state.unshared.get(lookup.sharedKey);
    return until === undefined || until <= this.#clock.monotonic();
  }

  /** Whether an equal request is under way. */
  isUnderWay(lookup: Lookup): boolean {
    return this.#state.fetches.awaited(lookup.key, lookup.sharedVariant) !== undefined;
  }

  /** Lets others wait for this request, if its response will be a whole one. */
  lead(lookup: Lookup, stored: StoredResponse | undefined): Fetch | undefined {
    const { exchange } = lookup;
    if (exchange.req.method !== 'GET') return undefined;
    const validates = stored?.head.etag !== undefined || stored?.head.lastModified !== undefined;
    return validates || wantsWhole(exchange.req.headers)
      ? this.#state.fetches.begin(lookup.key, exchange.service.name, lookup.sharedVariant)
      : undefined;
  }

  /**
   * Waits for the response to an equal request, and answers with it; where that one has given up, others wait for this
   * one instead.
   *
   * @returns the fetch that others wait for from now on; undefined when this request was answered, or goes by itself
   * @throws GatewayError the failure of the other request; CLIENT_CLOSED_REQUEST
   */
  async join(
    ctx: GatewayContext,
    lookup: Lookup,
    stored: StoredResponse | undefined,
  ): Promise<Fetch | undefined> {
    const deadline = this.#clock.monotonic() + this.#options.wait;
    for (let waits = 0; waits < MOST_WAITS; waits++) {
      const { sharedVariant } = lookup;
      const fetch = this.#state.fetches.awaited(lookup.key, sharedVariant);
      if (fetch === undefined) return this.lead(lookup, stored);
      if (fetch.waiting >= this.#options.maxWaiting) return undefined;
      const patience = deadline - this.#clock.monotonic();
      if (patience <= 0) return undefined;
      const landing = await fetch.wait(ctx.gateway, this.#clock, patience);
      if (ctx.res.destroyed) throw new GatewayError('CLIENT_CLOSED_REQUEST');
      if (landing instanceof GatewayError) throw sameFailure(landing);
      if (landing === 'abandoned') continue;
      const found = landing === 'stored' ? lookup.find(this.#state.store) : undefined;
      if (found?.serves(NO_WISHES, this.#clock.monotonic())) {
        this.#state.statistics.collapsed++;
        this.#state.store.touch(found);
        this.#answers.stored(ctx, found, 'HIT', `${stored === undefined ? 'uri-miss' : 'stale'}; collapsed`);
        return undefined;
      }
      // Its Vary is known now: what this request waits for may be another variant, with others that want that one.
      if (lookup.sharedVariant === sharedVariant || !this.applies(lookup)) return undefined;
    }
    return undefined;
  }
}
