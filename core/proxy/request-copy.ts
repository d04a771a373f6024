import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../clock.js';
import type { Exchange } from '../exchange.js';
import { upstreamPathFor } from '../routing/service-path.js';
import type { Service } from '../services/service.js';
import type { Target } from '../services/target.js';
import { RequestHeadWriter, removeFields } from './request-head.js';
import { Slot } from './retries/slot.js';

/** How the copies of one route are made; see {@link copyForm}. */
export interface CopyForm {
  /** Most copies under way at a time, those of other routes included. */
  readonly maxConcurrent: number;
  /** From sending a copy to the end of its response, in milliseconds; the copy is broken off then. */
  readonly timeout: number;
  /** Fields of the original that the copies do not have, in lower case. */
  readonly without: ReadonlySet<string>;
  /** Fields that they have beside, names and values in turn. */
  readonly fields: readonly string[];
}

/**
 * Prepares the form of a route's copies.
 *
 * @param without names of fields that they do not have
 * @param fields what they have beside, instead of the original's fields of the same names
 */
export function copyForm(init: {
  readonly maxConcurrent: number;
  readonly timeout: number;
  readonly without: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
}): CopyForm {
  const replaced = [...init.without, ...Object.keys(init.fields)].map((name) => name.toLowerCase());
  // The head writer names the host where the original's service preserves it; the copy's may want it otherwise.
  return { ...init, without: new Set(['host', ...replaced]), fields: Object.entries(init.fields).flat() };
}

/** What became of copies, in numbers that only grow. */
export interface CopyCounts {
  /** Handed to a connection pool. */
  sent: number;
  /** Of those, without the head of a response. */
  failed: number;
  /** Not sent, since as many as may be were under way. */
  busy: number;
  /** Not sent, since the service had no target with room for it. */
  unavailable: number;
}

/**
 * Sends copies of requests to a service, and throws the responses away. A copy has nothing to do with its original
 * once it is sent: neither the client's nor the real upstream's fate matters to it, nor does its own matter to them.
 */
export class RequestCopies {
  readonly #clock: Clock;
  readonly #counts: CopyCounts;
  readonly #head = new RequestHeadWriter({ via: undefined });
  readonly #underWay = new Set<Copy>();
  #onIdle: (() => void) | undefined;

  /** @param counts are added to; may be shared */
  constructor(clock: Clock, counts: CopyCounts) {
    this.#clock = clock;
    this.#counts = counts;
  }

  /** Copies under way. */
  get active(): number {
    return this.#underWay.size;
  }

  /**
   * Sends a copy as the request would be sent now, with the edits that plugins made. Whatever becomes of it is in the
   * counts, and nowhere else.
   *
   * @throws Error when the request has a body that nobody has read
   */
  send(exchange: Exchange, service: Service, form: CopyForm): void {
    if (exchange.hasBody && exchange.body === undefined) throw new Error('Read the body before you copy it');
    if (this.#underWay.size >= form.maxConcurrent) {
      this.#counts.busy++;
      return;
    }
    const { admission } = service;
    const target = service.pick(exchange);
    // A copy does not wait for room: those that wait are real requests.
    if (target === undefined || (admission && (target.full || admission.inFlight >= admission.limit))) {
      this.#counts.unavailable++;
      return;
    }
    void admission?.enter(target, exchange);
    this.#counts.sent++;
    const slot = admission && new Slot(admission, target, this.#clock);
    const copy = new Copy(target, slot, this.#settled);
    this.#underWay.add(copy);
    copy.send(() => this.#write(exchange, service, form), this.#clock, form.timeout);
  }

  /**
   * Waits for the copies under way to end, and breaks off those that take longer.
   *
   * @param grace milliseconds
   */
  close(grace: number): Promise<void> {
    if (this.#underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = this.#clock.setTimeout(() => {
        for (const copy of [...this.#underWay]) copy.breakOff('The gateway is stopping');
      }, grace);
      this.#onIdle = () => {
        deadline.cancel();
        resolve();
      };
    });
  }

  #write(exchange: Exchange, service: Service, form: CopyForm): Dispatcher.DispatchOptions {
    const headers = this.#head.write(exchange);
    removeFields(headers, form.without);
    if (service.settings.preserveHost) headers.push('host', exchange.host);
    headers.push(...form.fields);
    return {
      path: upstreamPathFor(exchange, service),
      method: (exchange.req.method ?? 'GET') as Dispatcher.HttpMethod,
      headers,
      body: exchange.body ?? null,
      // The time limit on the whole takes their place.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
  }

  readonly #settled = (copy: Copy): void => {
    this.#underWay.delete(copy);
    if (!copy.answered) this.#counts.failed++;
    if (this.#underWay.size === 0) this.#onIdle?.();
  };
}

/** One copy on its way: counts at the target as long as it is, and lets the response pass into nothing. */
class Copy implements Dispatcher.DispatchHandler {
  /** The head of a response has come. */
  answered = false;
  readonly #target: Target;
  readonly #slot: Slot | undefined;
  readonly #onSettled: (copy: Copy) => void;
  #deadline: Timer | undefined;
  #abort: ((error?: Error) => void) | undefined;
  #settled = false;

  constructor(target: Target, slot: Slot | undefined, onSettled: (copy: Copy) => void) {
    this.#target = target;
    this.#slot = slot;
    this.#onSettled = onSettled;
    target.active++;
  }

  send(write: () => Dispatcher.DispatchOptions, clock: Clock, timeout: number): void {
    this.#deadline = clock.setTimeout(() => this.breakOff('The copy took too long'), timeout);
    try {
      this.#target.dispatcher.dispatch(write(), this);
    } catch {
      this.#settle();
    }
  }

  breakOff(reason: string): void {
    const abort = this.#abort;
    this.#settle();
    abort?.(new Error(reason));
  }

  onConnect(abort: (error?: Error) => void): void {
    // Broken off while it waited for a connection: it is not to be written any more.
    if (this.#settled) abort(new Error('The copy is not wanted any more'));
    else this.#abort = abort;
  }

  onHeaders(status: number): boolean {
    if (status >= 200) {
      this.answered = true;
      this.#slot?.answered(status);
    }
    return true;
  }

  onData(): boolean {
    return true;
  }

  onComplete(): void {
    this.#settle();
  }

  onError(): void {
    this.#settle();
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#deadline?.cancel();
    this.#target.active--;
    this.#slot?.leave();
    this.#onSettled(this);
  }
}
