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
import type { CacheState } from './cache-state.js';
import { identifies } from './conditional.js';
import { ageOnArrival } from './evaluate.js';
import { Evaluator } from './evaluator.js';
import { DateReader } from './http-date.js';
import type { CachePolicy, Reception, Refusal, Reuse } from './policy.js';
import { Recorder } from './recorder.js';
import { unkeyedFields } from './request-key.js';
import { type FieldMemory, ResponseFields } from './response-fields.js';
import { StoredResponse, type StoredResponseInit } from './stored-response.js';
import { TextPool } from './text-pool.js';

/** For how long nobody waits for a response of which the one before could not be shared, in milliseconds. */
const UNSHARED_FOR = 10_000;

/** What is known of a response that may be stored. */
interface Evaluated {
  readonly parsed: ResponseFields;
  readonly reception: Reception;
  readonly reuse: Reuse;
  readonly initialAge: number;
}

/** Puts responses into the store: whole ones, newer heads for old bodies, and what HEAD tells. */
export class Storing {
  readonly #state: CacheState;
  readonly #clock: Clock;
  readonly #policy: CachePolicy;
  readonly #maxEntry: number;
  readonly #evaluator: Evaluator;
  readonly #memory: FieldMemory = { parseDate: new DateReader().read, same: new TextPool().same };

  constructor(state: CacheState, clock: Clock, policy: CachePolicy, maxEntry: number) {
    this.#state = state;
    this.#clock = clock;
    this.#policy = policy;
    this.#evaluator = new Evaluator(policy);
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
    const { status } = upstream;
    const reuse = this.#evaluator.of({ status, fields: parsed, reception, request: lookup });
    const declared = Number(parsed.contentLength ?? Number.NaN);
    if (typeof reuse === 'string' || declared > this.#maxEntry) {
      const refusal: Refusal = typeof reuse === 'string' ? reuse : 'too-large';
      // An error or a part says nothing of what is stored; anything else takes its place.
      if (superseded !== undefined && status < 500 && refusal !== 'partial')
        this.#state.store.remove(superseded);
      // What one client asked for a part of, or with conditions of its own, says nothing of what others get.
      if (refusal !== 'partial') this.#unshared(arrival);
      this.#state.fetches.end(fetch, 'unusable');
      return refusal;
    }
    const initialAge = ageOnArrival(parsed, reception);
    if (reuse.lifetime <= initialAge || reuse.alwaysValidate) this.#unshared(arrival);
    const init = this.#init(arrival, upstream, { parsed, reception, reuse, initialAge });
    // Most small bodies have come along with their head.
    const whole = upstream.wholeText(Math.min(MOST_IN_SLAB, this.#maxEntry));
    if (whole !== undefined && (Number.isNaN(declared) || declared === whole.length))
      this.#store(arrival, superseded, init, whole);
    else attach(this.#recorder(arrival, superseded, init, declared));
    return reuse.alwaysValidate ? 0 : reuse.lifetime - initialAge;
  }

  /** @param body its bytes; or a text, each byte one character */
  #store(
    { fetch }: Arrival,
    superseded: StoredResponse | undefined,
    init: StoredResponseInit,
    body: string | Buffer,
  ): void {
    if (!fetch.voided) {
      // It may be another variant by now, and would be found again.
      if (superseded !== undefined) this.#state.store.remove(superseded);
      this.#put(new StoredResponse(init, body));
    }
    this.#state.fetches.end(fetch, fetch.voided ? 'unusable' : 'stored');
  }

  /** Stores a body that is still on its way, once it is there. */
  #recorder(
    arrival: Arrival,
    superseded: StoredResponse | undefined,
    init: StoredResponseInit,
    declared: number,
  ): Recorder {
    const { fetch } = arrival;
    return new Recorder({
      limit: this.#maxEntry,
      declared: Number.isNaN(declared) ? undefined : declared,
      budget: this.#state.recording,
      isAwaited: () => fetch.waiting > 0,
      onWhole: (body) => this.#store(arrival, superseded, init, body),
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
    const { upstream, fetch } = arrival;
    const received = this.#parse(arrival.fields);
    if (!identifies(received, stored.head)) {
      // The upstream is asked again: what is removed in the meantime still counts.
      this.#state.store.remove(stored);
      return undefined;
    }
    const fields = stored.head.updatedFields(arrival.fields, this.#policy.storeSetCookie);
    const parsed = this.#parse(fields);
    // The age is that of the 304, not what the stored head says of an earlier one.
    parsed.age = received.age;
    const reception = this.#reception(upstream);
    const { status } = stored;
    const evaluated = this.#evaluator.of({ status, fields: parsed, reception, request: arrival.lookup });
    const initialAge = typeof evaluated === 'string' ? stored.initialAge : ageOnArrival(parsed, reception);
    // The body was made for somebody: a head that is the same for all does not make it everybody's.
    const isPublic = stored.reuse.isPublic && typeof evaluated !== 'string' && evaluated.isPublic;
    const reuse =
      typeof evaluated === 'string' ? { ...stored.reuse, lifetime: 0 } : { ...evaluated, isPublic };
    const init = this.#init(arrival, stored, { parsed, reception, reuse, initialAge });
    const updated = new StoredResponse(init, stored.body);
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
      (etag === undefined || etag === stored.head.etag) &&
      (lastModified === undefined || lastModified === stored.head.lastModified) &&
      (contentLength === undefined || contentLength === String(stored.body.length));
    if (same) this.freshen(arrival, stored);
    else if (status < 500 && status !== 304) this.#state.store.remove(stored);
    this.#state.fetches.end(arrival.fetch, 'unusable');
  }

  #parse(fields: readonly string[]): ResponseFields {
    return new ResponseFields(fields, this.#policy.targetedFields, this.#memory);
  }

  #init(
    { lookup, fetch, upstream }: Arrival,
    { status, statusText }: Pick<StoredResponseInit, 'status' | 'statusText'>,
    { parsed, reception, reuse, initialAge }: Evaluated,
  ): StoredResponseInit {
    const vary = withUnkeyed(reuse.vary, lookup.exchange);
    return {
      key: lookup.key,
      variant: lookup.variant(reuse.isPublic ? '' : lookup.partition, vary),
      service: fetch.service,
      status,
      statusText: this.#memory.same(statusText),
      parsed,
      reuse: vary === reuse.vary ? reuse : { ...reuse, vary },
      initialAge,
      arrivedAt: Math.round(upstream.headAt),
      arrivedOn: reception.time,
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

function withUnkeyed(vary: readonly string[], exchange: Exchange): readonly string[] {
  const found = unkeyedFields(exchange);
  if (found.length === 0) return vary;
  const unkeyed = found.filter((name) => !vary.includes(name));
  return unkeyed.length === 0 ? vary : [...vary, ...unkeyed].sort();
}
