import {
  type Clock,
  fieldsOf,
  forgetReceived,
  type GatewayContext,
  GatewayError,
  type Logger,
  type RepeatingMiddleware,
} from '../../core/index.js';
import { Answers, type ForwardReason } from './answers.js';
import { type Arrival, arrivalOf } from './arrival.js';
import { BackgroundRefresh } from './background-refresh.js';
import type { CacheState } from './cache-state.js';
import { type CoalesceOptions, Coalescing } from './coalescing.js';
import { clearConditions, isForOrigin, setConditions } from './conditions.js';
import { isFailureStatus, isUpstreamFailure, landingOf, servesOnFailure } from './failures.js';
import type { Fetch } from './fetches.js';
import { Invalidation } from './invalidation.js';
import { Lookup } from './lookup.js';
import type { CachePolicy } from './policy.js';
import { OriginReader } from './request-key.js';
import { NO_WISHES, type RequestWishes, readWishes } from './request-wishes.js';
import type { StoredResponse } from './stored-response.js';
import { Storing } from './storing.js';

/** What a {@link RouteCache} works by. */
export interface RouteCacheOptions {
  readonly policy: CachePolicy;
  /** Whether what clients ask of caches counts. */
  readonly requestDirectives: boolean;
  /** Most bytes of one body. */
  readonly maxEntry: number;
  readonly coalesce: CoalesceOptions;
  /** Whether responses are compressed outside: the upstream is asked for them as they are. */
  readonly identity: boolean;
}

type Run = (ctx: GatewayContext) => Promise<void>;

const NO_FIELDS: readonly string[] = [];

/** A request that is not answered from the store. */
interface Question {
  readonly ctx: GatewayContext;
  readonly next: () => Promise<void>;
  readonly inner: Run;
  readonly lookup: Lookup;
  readonly wishes: RequestWishes;
  /** What is stored for it, and not good enough. */
  readonly stored: StoredResponse | undefined;
}

/** The cache as one route sees it: the way of a request through it. */
export class RouteCache {
  readonly #state: CacheState;
  readonly #clock: Clock;
  readonly #requestDirectives: boolean;
  readonly #identity: boolean;
  readonly #storesCookies: boolean;
  readonly #origins = new OriginReader();
  readonly #answers: Answers;
  readonly #storing: Storing;
  readonly #coalescing: Coalescing;
  readonly #background: BackgroundRefresh;
  readonly #invalidation: Invalidation;

  constructor(state: CacheState, clock: Clock, logger: Logger, options: RouteCacheOptions) {
    this.#state = state;
    this.#clock = clock;
    this.#requestDirectives = options.requestDirectives;
    this.#identity = options.identity;
    this.#storesCookies = options.policy.storeSetCookie;
    this.#answers = new Answers(clock, state.statistics);
    this.#storing = new Storing(state, clock, options.policy, options.maxEntry);
    this.#coalescing = new Coalescing(state, clock, this.#answers, options.coalesce);
    this.#background = new BackgroundRefresh(state, this.#storing, clock, logger);
    this.#invalidation = new Invalidation(state, this.#answers);
  }

  /** Not `async`: a hit is answered without a promise. */
  readonly handle: RepeatingMiddleware = (ctx, next, inner) => {
    const exchange = ctx.gateway;
    if (exchange.kind !== 'http') return next();
    const { method, headers } = exchange.req;
    if (method !== 'GET' && method !== 'HEAD') return this.#invalidation.pass(ctx, next);
    const wishes = this.#requestDirectives ? readWishes(headers) : NO_WISHES;
    // A GET with a body asks for something else than its URL.
    if (exchange.hasBody || isForOrigin(headers))
      return wishes.onlyIfCached ? this.#refuse(ctx) : this.#bypass(ctx, next);
    if (wishes.noStore && !wishes.onlyIfCached) return this.#bypass(ctx, next);
    const lookup = new Lookup(exchange, this.#origins.of(exchange), this.#identity);
    const stored = lookup.find(this.#state.store);
    if (stored !== undefined) {
      const now = this.#clock.monotonic();
      if (stored.serves(wishes, now)) {
        this.#answer(ctx, stored, now);
        return undefined;
      }
    }
    return this.#miss({ ctx, next, inner, lookup, wishes, stored });
  };

  async #bypass(ctx: GatewayContext, next: () => Promise<void>): Promise<void> {
    try {
      await next();
    } catch (failure) {
      this.#answers.missed(ctx, { outcome: 'BYPASS', reason: 'request' });
      throw failure;
    }
    this.#answers.missed(ctx, { outcome: 'BYPASS', reason: 'request', status: statusOf(ctx) });
  }

  /** RFC 9111 section 5.2.1.7: a client that wants it from the cache or not at all. */
  #refuse(ctx: GatewayContext): never {
    this.#answers.missed(ctx, { outcome: 'MISS', reason: 'request' });
    throw new GatewayError('GATEWAY_TIMEOUT', { message: 'The response is not in the cache' });
  }

  #answer(ctx: GatewayContext, stored: StoredResponse, now: number): void {
    this.#state.store.touch(stored);
    this.#answers.stored(ctx, stored, stored.freshFor(now) > 0 ? 'HIT' : 'STALE', undefined, now);
  }

  /** Not `async` either: a request that goes to the upstream by itself has one promise here. */
  #miss(question: Question): Promise<void> | undefined {
    const { ctx, lookup, wishes, stored } = question;
    lookup.prepare();
    if (wishes.onlyIfCached) this.#refuse(ctx);
    if (stored !== undefined && this.#mayRefreshLater(stored, wishes)) {
      this.#background.start(ctx, question.inner, lookup, stored);
      this.#answer(ctx, stored, this.#clock.monotonic());
      return undefined;
    }
    if (wishes.noCache || !this.#coalescing.applies(lookup)) return this.#forward(question, undefined);
    if (this.#coalescing.isUnderWay(lookup)) return this.#wait(question);
    return this.#forward(question, this.#coalescing.lead(lookup, stored));
  }

  /** Waits for the response to an equal request, and asks the upstream where that is of no use. */
  async #wait(question: Question): Promise<void> {
    const { ctx, lookup, stored } = question;
    let led: Fetch | undefined;
    try {
      led = await this.#coalescing.join(ctx, lookup, stored);
    } catch (failure) {
      this.#failed(question, this.#reason(question), failure);
      return;
    }
    if (ctx.gateway.bodySource !== 'plugin') await this.#forward(question, led);
  }

  /**
   * Asks the upstream, about the stored response where there is one.
   *
   * @param led the fetch that others wait for; undefined to go without company
   */
  async #forward(question: Question, led: Fetch | undefined): Promise<void> {
    const { ctx, lookup, stored } = question;
    const exchange = ctx.gateway;
    const reason = this.#reason(question);
    const fetch = led ?? this.#state.fetches.begin(lookup.key, exchange.service.name);
    // Whatever fails from here on, nobody goes on waiting.
    try {
      const set = fieldsOf(ctx.res);
      const before = set.length === 0 ? NO_FIELDS : set.slice();
      const validates = stored !== undefined && setConditions(exchange, stored);
      await question.next();
      let arrival = arrivalOf(ctx, before, lookup, fetch);
      if (validates && arrival?.upstream.status === 304) {
        const updated = this.#storing.freshen(arrival, stored);
        if (updated !== undefined) {
          this.#answerFreshened(ctx, before, arrival, updated, reason);
          return;
        }
        // The upstream has another response than the one asked about: asked again, without conditions.
        clearConditions(exchange);
        forgetReceived(ctx, before);
        await question.inner(ctx);
        arrival = arrivalOf(ctx, before, lookup, fetch);
      }
      if (arrival === undefined) {
        this.#state.fetches.end(fetch, 'unusable');
        this.#answers.missed(ctx, { outcome: 'MISS', reason, status: statusOf(ctx) });
      } else {
        this.#received(ctx, before, arrival, stored, reason);
      }
    } catch (failure) {
      this.#state.fetches.end(fetch, landingOf(failure));
      this.#failed(question, reason, failure);
    }
  }

  /** Answers with what is stored where it may stand for a failure; throws the failure where it may not. */
  #failed({ ctx, stored }: Question, reason: ForwardReason, failure: unknown): void {
    if (stored !== undefined && isUpstreamFailure(failure) && this.#servesOnFailure(stored)) {
      this.#answers.stored(ctx, stored, 'STALE', reason);
      return;
    }
    if (ctx.gateway.decisions.cache === undefined) this.#answers.missed(ctx, { outcome: 'MISS', reason });
    throw failure;
  }

  /** A response that takes the place of what is stored, or does not. */
  #received(
    ctx: GatewayContext,
    before: readonly string[],
    arrival: Arrival,
    stored: StoredResponse | undefined,
    reason: ForwardReason,
  ): void {
    const { upstream, fetch } = arrival;
    const { status } = upstream;
    if (stored !== undefined && isFailureStatus(status) && this.#servesOnFailure(stored)) {
      this.#state.fetches.end(fetch, new GatewayError('BAD_GATEWAY'));
      forgetReceived(ctx, before);
      this.#answers.stored(ctx, stored, 'STALE', `${reason}; fwd-status=${status}`);
      return;
    }
    if (ctx.method === 'HEAD') {
      if (stored !== undefined) this.#storing.freshenByHead(arrival, stored);
      this.#state.fetches.end(fetch, 'unusable');
      this.#answers.missed(ctx, { outcome: 'MISS', reason, status });
      return;
    }
    const recorded = this.#storing.record(arrival, stored, (recorder) => upstream.tap(recorder));
    const storedFor = typeof recorded === 'string' ? undefined : recorded;
    this.#answers.missed(ctx, { outcome: 'MISS', reason, status, storedFor });
  }

  #answerFreshened(
    ctx: GatewayContext,
    before: readonly string[],
    arrival: Arrival,
    updated: StoredResponse,
    reason: ForwardReason,
  ): void {
    forgetReceived(ctx, before);
    this.#answers.stored(ctx, updated, 'REVALIDATED', `${reason}; fwd-status=304`);
    if (this.#storesCookies) return;
    for (let i = 0; i + 1 < arrival.fields.length; i += 2) {
      const name = arrival.fields[i] ?? '';
      if (name.toLowerCase() === 'set-cookie') ctx.res.appendHeader(name, arrival.fields[i + 1] ?? '');
    }
  }

  #mayRefreshLater(stored: StoredResponse, wishes: RequestWishes): boolean {
    if (stored.reuse.staleWhileRevalidate === 0 || wishes.noCache || wishes.minFresh > 0) return false;
    const now = this.#clock.monotonic();
    const left = stored.freshFor(now);
    return left <= 0 && -left <= stored.reuse.staleWhileRevalidate && stored.age(now) <= wishes.maxAge;
  }

  #servesOnFailure(stored: StoredResponse): boolean {
    return servesOnFailure(stored, this.#clock.monotonic());
  }

  #reason({ lookup, wishes, stored }: Question): ForwardReason {
    if (stored === undefined) return lookup.isKnown ? 'vary-miss' : 'uri-miss';
    return wishes.noCache || stored.freshFor(this.#clock.monotonic()) > 0 ? 'request' : 'stale';
  }
}

/** The status of a response that an upstream has a part in; undefined where a plugin has answered in its place. */
function statusOf({ gateway, res }: GatewayContext): number | undefined {
  return gateway.upstream === undefined ? undefined : res.statusCode;
}
