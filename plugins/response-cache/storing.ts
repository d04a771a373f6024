import type { BodySink, BodyTap, Clock, Exchange, UpstreamResponse } from '../../core/index.js';
import type { Arrival } from './arrival.js';
import { DirectiveReader } from './cache-control.js';
import type { CacheState } from './cache-state.js';
import { identifies } from './conditional.js';
import { evaluate } from './evaluate.js';
import type { Lookup } from './lookup.js';
import type { CachePolicy, Reception, Refusal, Reuse } from './policy.js';
import { Recorder } from './recorder.js';
import { unkeyedFields } from './request-key.js';
import { ResponseFields } from './response-fields.js';
import { StoredResponse } from './stored-response.js';

/** For how long nobody waits for a response of which the one before could not be shared, in milliseconds. */
const UNSHARED_FOR = 10_000;

/** Puts responses into the store: whole ones, newer heads for old bodies, and what HEAD tells. */
export class Storing {
  readonly #state: CacheState;
  readonly #clock: Clock;
  readonly #policy: CachePolicy;
  readonly #maxEntry: number;
  readonly #directives = new DirectiveReader();

  constructor(state: CacheState, clock: Clock, policy: CachePolicy, maxEntry: number) {
    this.#state = state;
    this.#clock = clock;
    this.#policy = policy;
    this.#maxEntry = maxEntry;
  }

  /**
   * Stores a response to GET while it passes by, if it may be stored.
   *
   * @param superseded the stored response that was not good enough any more
   * @param attach makes the recorder see the body
   */
  record(
    arrival: Arrival,
    superseded: StoredResponse | undefined,
    attach: (recorder: BodyTap & BodySink) => void,
  ): Reuse | Refusal {
    const { upstream, flight, fetch, lookup } = arrival;
    const parsed = new ResponseFields(arrival.fields, this.#policy.targetedFields);
    const reception = this.#reception(upstream);
    const reuse = this.#evaluate(lookup, upstream.status, parsed, reception);
    const declared = Number(parsed.contentLength ?? Number.NaN);
    if (typeof reuse === 'string' || declared > this.#maxEntry) {
      const refusal: Refusal = typeof reuse === 'string' ? reuse : 'too-large';
      // An error or a part says nothing of what is stored; anything else takes its place.
      if (superseded !== undefined && upstream.status < 500 && refusal !== 'partial')
        this.#state.store.remove(superseded);
      this.#state.fetches.end(fetch);
      // What one client asked for a part of, or with conditions of its own, says nothing of what others get.
      if (refusal === 'partial') flight?.land('unusable');
      else this.#unshared(arrival);
      return refusal;
    }
    if (reuse.lifetime <= reuse.initialAge || reuse.alwaysValidate) this.#unshared(arrival);
    const selected = this.#selectedBy(lookup, reuse);
    const recorder = new Recorder({
      limit: this.#maxEntry,
      declared: Number.isNaN(declared) ? undefined : declared,
      budget: this.#state.recording,
      isAwaited: () => flight?.hasWaiters ?? false,
      onWhole: (body) => {
        this.#state.fetches.end(fetch);
        if (!fetch.voided) {
          this.#put(
            new StoredResponse({
              key: lookup.key,
              variant: selected.variant,
              service: fetch.service,
              status: upstream.status,
              statusText: upstream.statusText,
              parsed,
              body,
              reuse: selected.reuse,
              arrivedAt: Math.round(upstream.headAt),
              arrivedOn: reception.time,
            }),
          );
        }
        flight?.land(fetch.voided ? 'unusable' : 'stored');
      },
      onFailure: (reason) => {
        this.#state.fetches.end(fetch);
        if (reason === 'too-large') this.#unshared(arrival);
        flight?.land('abandoned');
      },
    });
    attach(recorder);
    return reuse;
  }

  /**
   * Gives a stored response the head of a 304 (RFC 9111 sections 3.2 and 4.3.4).
   *
   * @returns the response as it is now; undefined when the 304 is about another one
   */
  freshen(arrival: Arrival, stored: StoredResponse): StoredResponse | undefined {
    const { upstream, lookup, fetch, flight } = arrival;
    this.#state.fetches.end(fetch);
    const received = new ResponseFields(arrival.fields, this.#policy.targetedFields);
    if (!identifies(received.etag, stored)) {
      this.#state.store.remove(stored);
      return undefined;
    }
    const fields = stored.updatedFields(arrival.fields, this.#policy.storeSetCookie);
    const parsed = new ResponseFields(fields, this.#policy.targetedFields);
    // The age is that of the 304, not what the stored head says of an earlier one.
    parsed.age = received.age;
    const reception = this.#reception(upstream);
    const evaluated = this.#evaluate(lookup, stored.status, parsed, reception);
    // The body was made for somebody: a head that is the same for all does not make it everybody's.
    const isPublic = stored.reuse.isPublic && typeof evaluated !== 'string' && evaluated.isPublic;
    const reuse =
      typeof evaluated === 'string' ? { ...stored.reuse, lifetime: 0 } : { ...evaluated, isPublic };
    const updated = new StoredResponse({
      key: stored.key,
      service: stored.service,
      status: stored.status,
      statusText: stored.statusText,
      parsed,
      body: stored.body,
      arrivedAt: Math.round(upstream.headAt),
      arrivedOn: reception.time,
      ...this.#selectedBy(lookup, reuse),
    });
    this.#state.store.remove(stored);
    if (typeof evaluated !== 'string' && !fetch.voided) {
      this.#put(updated);
      flight?.land(updated.reuse.lifetime > updated.reuse.initialAge ? 'stored' : 'unusable');
    } else {
      flight?.land('unusable');
    }
    return updated;
  }

  /** What a HEAD response tells of a stored one (RFC 9111 section 4.3.5): its newer head, or that it is out of date. */
  freshenByHead(arrival: Arrival, stored: StoredResponse): void {
    const { status } = arrival.upstream;
    const { etag, lastModified, contentLength } = new ResponseFields(arrival.fields, []);
    const same =
      status === stored.status &&
      (etag === undefined || etag === stored.etag) &&
      (lastModified === undefined || lastModified === stored.lastModified) &&
      (contentLength === undefined || contentLength === String(stored.body.length));
    if (same) this.freshen(arrival, stored);
    else if (status < 500 && status !== 304) this.#state.store.remove(stored);
    this.#state.fetches.end(arrival.fetch);
  }

  #evaluate(lookup: Lookup, status: number, fields: ResponseFields, reception: Reception): Reuse | Refusal {
    return evaluate({ status, fields, reception, request: lookup }, this.#policy, this.#directives.read);
  }

  #selectedBy(lookup: Lookup, reuse: Reuse): { reuse: Reuse; variant: string } {
    const vary = withUnkeyed(reuse.vary, lookup.exchange);
    const partition = reuse.isPublic ? '' : lookup.partition;
    return {
      reuse: vary === reuse.vary ? reuse : { ...reuse, vary },
      variant: lookup.variant(partition, vary),
    };
  }

  #put(response: StoredResponse): void {
    this.#state.statistics.stored++;
    this.#state.store.put(response);
  }

  #reception({ sentAt, headAt }: UpstreamResponse): Reception {
    const since = this.#clock.monotonic() - headAt;
    return { time: Math.round(this.#clock.now() - since), delay: Math.max(0, Math.round(headAt - sentAt)) };
  }

  /** Nobody is to wait for this response, nor for the next ones like it. */
  #unshared({ lookup, flight }: Arrival): void {
    this.#state.unshared.set(lookup.flightKey, this.#clock.monotonic() + UNSHARED_FOR);
    flight?.land('unusable');
  }
}

function withUnkeyed(vary: readonly string[], exchange: Exchange): readonly string[] {
  const unkeyed = unkeyedFields(exchange).filter((name) => !vary.includes(name));
  return unkeyed.length === 0 ? vary : [...vary, ...unkeyed].sort();
}
