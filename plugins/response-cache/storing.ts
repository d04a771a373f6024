import {
  type BodySink,
  type BodyTap,
  type Clock,
  type Exchange,
  GatewayError,
  type UpstreamResponse,
} from '../../core/index.js';
import type { Arrival } from './arrival.js';
import { MOST_IN_SLAB } from './body-slabs.js';
import { DirectiveReader } from './cache-control.js';
import type { CacheState } from './cache-state.js';
import { identifies } from './conditional.js';
import { ageOnArrival, evaluate } from './evaluate.js';
import { DateReader } from './http-date.js';
import type { Lookup } from './lookup.js';
import type { CachePolicy, Reception, Refusal, Reuse } from './policy.js';
import { Recorder } from './recorder.js';
import { unkeyedFields } from './request-key.js';
import { type FieldMemory, ResponseFields } from './response-fields.js';
import { StoredBody } from './stored-body.js';
import { StoredResponse } from './stored-response.js';
import { TextPool } from './text-pool.js';

/** For how long nobody waits for a response of which the one before could not be shared, in milliseconds. */
const UNSHARED_FOR = 10_000;

/** A response that may be stored as soon as its body is there. */
interface Deposit {
  readonly arrival: Arrival;
  readonly superseded: StoredResponse | undefined;
  readonly parsed: ResponseFields;
  readonly reception: Reception;
  readonly initialAge: number;
  readonly selected: { readonly reuse: Reuse; readonly variant: string };
}

/** Puts responses into the store: whole ones, newer heads for old bodies, and what HEAD tells. */
export class Storing {
  readonly #state: CacheState;
  readonly #clock: Clock;
  readonly #policy: CachePolicy;
  readonly #maxEntry: number;
  readonly #directives = new DirectiveReader();
  #latestReuse: Reuse | undefined = undefined;
  readonly #memory: FieldMemory = { parseDate: new DateReader().read, same: new TextPool().same };

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
   * @returns for how many milliseconds it is fresh, or why it is not stored
   */
  record(
    arrival: Arrival,
    superseded: StoredResponse | undefined,
    attach: (recorder: BodyTap & BodySink) => void,
  ): number | Refusal {
    const { upstream, fetch, lookup } = arrival;
    const parsed = this.#parse(arrival.fields);
    const reception = this.#reception(upstream);
    const reuse = this.#evaluate(lookup, upstream.status, parsed, reception);
    const declared = Number(parsed.contentLength ?? Number.NaN);
    if (typeof reuse === 'string' || declared > this.#maxEntry) {
      const refusal: Refusal = typeof reuse === 'string' ? reuse : 'too-large';
      // An error or a part says nothing of what is stored; anything else takes its place.
      if (superseded !== undefined && upstream.status < 500 && refusal !== 'partial')
        this.#state.store.remove(superseded);
      // What one client asked for a part of, or with conditions of its own, says nothing of what others get.
      if (refusal !== 'partial') this.#unshared(arrival);
      this.#state.fetches.end(fetch, 'unusable');
      return refusal;
    }
    const initialAge = ageOnArrival(parsed, reception);
    if (reuse.lifetime <= initialAge || reuse.alwaysValidate) this.#unshared(arrival);
    const deposit = {
      arrival,
      superseded,
      parsed,
      reception,
      initialAge,
      selected: this.#selectedBy(lookup, reuse),
    };
    // Most small bodies have come along with their head.
    const whole = upstream.wholeText(Math.min(MOST_IN_SLAB, this.#maxEntry));
    if (whole !== undefined && (Number.isNaN(declared) || declared === whole.length))
      this.#store(deposit, whole);
    else attach(this.#recorder(deposit, declared));
    return reuse.alwaysValidate ? 0 : reuse.lifetime - initialAge;
  }

  /** @param body its bytes; or a text, each byte one character */
  #store(
    { arrival, superseded, parsed, reception, initialAge, selected }: Deposit,
    body: string | Buffer,
  ): void {
    const { upstream, fetch, lookup } = arrival;
    if (!fetch.voided) {
      // It may be another variant by now, and would be found again.
      if (superseded !== undefined) this.#state.store.remove(superseded);
      this.#put(
        new StoredResponse({
          key: lookup.key,
          variant: selected.variant,
          service: fetch.service,
          status: upstream.status,
          statusText: upstream.statusText,
          parsed,
          body: new StoredBody(body),
          reuse: selected.reuse,
          initialAge,
          arrivedAt: Math.round(upstream.headAt),
          arrivedOn: reception.time,
        }),
      );
    }
    this.#state.fetches.end(fetch, fetch.voided ? 'unusable' : 'stored');
  }

  /** Stores a body that is still on its way, once it is there. */
  #recorder(deposit: Deposit, declared: number): Recorder {
    const { arrival } = deposit;
    const { fetch } = arrival;
    return new Recorder({
      limit: this.#maxEntry,
      declared: Number.isNaN(declared) ? undefined : declared,
      budget: this.#state.recording,
      isAwaited: () => fetch.waiting > 0,
      onWhole: (body) => this.#store(deposit, body),
      onFailure: (reason) => {
        if (reason === 'too-large') this.#unshared(arrival);
        const landing = new GatewayError('BAD_GATEWAY', { message: 'The upstream broke off its response' });
        this.#state.fetches.end(fetch, landing);
      },
    });
  }

  /**
   * Gives a stored response the head of a 304 (RFC 9111 sections 3.2 and 4.3.4).
   *
   * @returns the response as it is now; undefined when the 304 is about another one
   */
  freshen(arrival: Arrival, stored: StoredResponse): StoredResponse | undefined {
    const { upstream, lookup, fetch } = arrival;
    const received = this.#parse(arrival.fields);
    if (!identifies(received, stored)) {
      // The upstream is asked again: what is removed in the meantime still counts.
      this.#state.store.remove(stored);
      return undefined;
    }
    const fields = stored.updatedFields(arrival.fields, this.#policy.storeSetCookie);
    const parsed = this.#parse(fields);
    // The age is that of the 304, not what the stored head says of an earlier one.
    parsed.age = received.age;
    const reception = this.#reception(upstream);
    const evaluated = this.#evaluate(lookup, stored.status, parsed, reception);
    const initialAge = typeof evaluated === 'string' ? stored.initialAge : ageOnArrival(parsed, reception);
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
      initialAge,
      arrivedAt: Math.round(upstream.headAt),
      arrivedOn: reception.time,
      ...this.#selectedBy(lookup, reuse),
    });
    this.#state.store.remove(stored);
    if (typeof evaluated !== 'string' && !fetch.voided) {
      this.#put(updated);
      this.#state.fetches.end(fetch, updated.reuse.lifetime > initialAge ? 'stored' : 'unusable');
    } else {
      this.#state.fetches.end(fetch, 'unusable');
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
    this.#state.fetches.end(arrival.fetch, 'unusable');
  }

  #parse(fields: readonly string[]): ResponseFields {
    return new ResponseFields(fields, this.#policy.targetedFields, this.#memory);
  }

  #evaluate(lookup: Lookup, status: number, fields: ResponseFields, reception: Reception): Reuse | Refusal {
    const candidate = { status, fields, reception, request: lookup };
    const reuse = evaluate(candidate, this.#policy, this.#directives.read);
    if (typeof reuse === 'string') return reuse;
    // Many responses say the same: they share what was made of it.
    if (this.#latestReuse === undefined || !isSameReuse(reuse, this.#latestReuse)) this.#latestReuse = reuse;
    return this.#latestReuse;
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
  #unshared({ lookup, fetch }: Arrival): void {
    this.#state.unshared.set(lookup.sharedKey, this.#clock.monotonic() + UNSHARED_FOR);
    fetch.land('unusable');
  }
}

/** All that a {@link Reuse} says; the compiler misses what is left out, which would be taken from another response. */
const PARTS = Object.keys({
  lifetime: true,
  implicit: true,
  isPublic: true,
  alwaysValidate: true,
  neverStale: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  omitted: true,
  vary: true,
} satisfies Record<keyof Reuse, true>) as readonly (keyof Reuse)[];

function isSameReuse(one: Reuse, other: Reuse): boolean {
  for (const part of PARTS) if (one[part] !== other[part]) return false;
  return true;
}

function withUnkeyed(vary: readonly string[], exchange: Exchange): readonly string[] {
  const unkeyed = unkeyedFields(exchange).filter((name) => !vary.includes(name));
  return unkeyed.length === 0 ? vary : [...vary, ...unkeyed].sort();
}
