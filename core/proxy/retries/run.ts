import type { Readable } from 'node:stream';
import type { Clock, Timer } from '../../clock.js';
import { GatewayError, isGatewayError } from '../../errors.js';
import type { Exchange } from '../../exchange.js';
import type { UpstreamHead } from '../../plugin.js';
import type { Service } from '../../services/service.js';
import type { Target } from '../../services/target.js';
import { type BodyReader, declaredLength } from '../buffered-body.js';
import type { UpstreamResponse } from '../upstream-response.js';
import { Allowance, MOST_PATIENCE } from './allowance.js';
import { discard } from './discard.js';
import { AttemptTimeoutError } from './failure.js';
import { Pauses } from './pauses.js';
import type { RetryPolicy } from './policy.js';
import { ReplayBody } from './replay-body.js';
import { Slot } from './slot.js';
import { type Outcome, prospectOf } from './state.js';
import { verdictOn } from './verdict.js';

/** What an attempt has that is not the first one of a plain request. */
export interface AttemptPlan {
  /** What is left of the time for the whole request, in milliseconds; 0 for no limit. */
  readonly total: number;
  /** Its place among those admitted; undefined where there is no limit. */
  readonly slot: Slot | undefined;
  /** The body of the request, from its first byte. */
  body(): Readable | Buffer | null;
}

/** Sends a request to a target, through the attempt wrappers of its route. */
export type Send = (
  exchange: Exchange,
  target: Target,
  plan: AttemptPlan | undefined,
) => Promise<UpstreamHead>;

/** What all runs of a route work with. */
export interface RetryRunParts {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly bodies: BodyReader;
  readonly send: Send;
}

/**
 * The attempts of one request, one after the other. Made when the first attempt has failed, or before it where that needs
 * more than a target: a body that is kept, a place under a limit, a time limit of its own.
 */
export class RetryRun implements AttemptPlan {
  slot: Slot | undefined;
  readonly #parts: RetryRunParts;
  readonly #exchange: Exchange;
  readonly #service: Service;
  readonly #policy: RetryPolicy;
  readonly #tried: Target[] = [];
  readonly #startedAt: number;
  readonly #pauses: Pauses;
  readonly #allowance: Allowance;
  #attempts = 0;
  #counted = false;
  /** Waits so far; each is longer than the one before. */
  #round = 0;
  #replay: ReplayBody | undefined;
  /** The body of the latest attempt, where it is not kept. */
  #body: Readable | undefined;

  constructor(parts: RetryRunParts, exchange: Exchange, policy: RetryPolicy) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#service = exchange.service;
    this.#policy = policy;
    this.#startedAt = exchange.upstream?.sentAt ?? parts.clock.monotonic();
    this.#pauses = new Pauses(exchange, parts.clock);
    this.#allowance = new Allowance(this.#service.retryBudget, parts.clock, parts.random);
    this.slot = undefined;
  }

  /** Makes all attempts. */
  async start(target: Target): Promise<UpstreamHead> {
    if (this.#keepsBody()) {
      this.#replay = new ReplayBody(this.#parts.bodies.open(this.#exchange), this.#policy.bufferLimit);
    }
    return this.#goOn(await this.#attempt(target));
  }

  /** Makes the attempts after a first one that was made without a run. */
  resume(first: Outcome): Promise<UpstreamHead> {
    this.#attempts = 1;
    this.#tried.push(first.target);
    return this.#goOn(first);
  }

  get total(): number {
    const { total } = this.#service.settings.timeout;
    return total === 0 ? 0 : Math.max(this.#startedAt + total - this.#parts.clock.monotonic(), 1);
  }

  body(): Readable | Buffer | null {
    const exchange = this.#exchange;
    if (exchange.body !== undefined) return exchange.body;
    if (!exchange.hasBody) return null;
    if (this.#replay !== undefined) return this.#replay.open();
    // It may still wait for a connection, in an attempt that was given up: it must not take anything from this one.
    this.#body?.destroy();
    this.#body = this.#parts.bodies.open(exchange);
    return this.#body;
  }

  async #goOn(first: Outcome): Promise<UpstreamHead> {
    let outcome = first;
    try {
      for (;;) {
        const target = await this.#next(outcome);
        if (target === undefined) break;
        outcome = await this.#attempt(target);
      }
    } finally {
      this.#replay?.conclude();
      this.#allowance.settle('unused');
    }
    if (outcome.head === undefined) throw outcome.failure;
    return outcome.head;
  }

  async #attempt(target: Target): Promise<Outcome> {
    const exchange = this.#exchange;
    exchange.target = target;
    exchange.upstream = undefined;
    let timer: Timer | undefined;
    try {
      await this.#enter(target);
      this.#attempts++;
      this.#tried.push(target);
      timer = this.#limitAttempt();
      const head = await this.#parts.send(exchange, target, this);
      return { target, head, failure: undefined, response: exchange.upstream };
    } catch (failure) {
      return { target, head: undefined, failure, response: exchange.upstream };
    } finally {
      timer?.cancel();
      // A wrapper that refused has left it to nobody.
      if (exchange.upstream === undefined) this.slot?.leave();
    }
  }

  async #enter(target: Target): Promise<void> {
    const { admission } = this.#service;
    this.slot = undefined;
    if (admission === undefined) return;
    const admitted = admission.enter(target, this.#exchange);
    if (admitted !== undefined) await admitted;
    this.slot = new Slot(admission, target, this.#parts.clock);
    if (admitted !== undefined) this.#pauses.checkClient();
  }

  #limitAttempt(): Timer | undefined {
    const { perTryTimeout } = this.#policy;
    if (perTryTimeout === 0) return undefined;
    const exchange = this.#exchange;
    return this.#parts.clock.setTimeout(() => {
      const response = exchange.upstream;
      if (response?.headAt === 0) response.abort(new AttemptTimeoutError());
    }, perTryTimeout);
  }

  /** The target of the next attempt, once it is time for it; undefined to leave it at the outcome. */
  async #next(outcome: Outcome): Promise<Target | undefined> {
    const { failure, head, response } = outcome;
    if (response === undefined) return this.#elsewhere(failure);
    const verdict = verdictOn(response);
    if (verdict !== 'nothing') outcome.target.outlier?.record(verdict === 'works');
    const isGood = verdict === 'works' && !this.#policy.retriesStatus(response.status);
    if (!this.#counted && verdict !== 'nothing') this.#count(isGood);
    this.#allowance.settle(isGood ? 'won' : 'lost');
    if (isGood || this.#attempts >= this.#policy.attempts) return undefined;
    const prospect = prospectOf(outcome, this.#exchange, this.#policy, this.#parts, this.#round);
    if (prospect === undefined || !this.#repeatsBody(response) || !this.#isInTime(prospect.wait))
      return undefined;
    if (!prospect.anywhere && !this.#hasUntried()) return undefined;
    // A response that could be passed on is not kept back.
    const mayWait = head === undefined && this.#isInTime(MOST_PATIENCE);
    if (!(await this.#allowance.take(mayWait ? this.#pauses : undefined))) return undefined;
    this.#round++;
    if (head !== undefined) discard(response, this.#parts.clock);
    if (prospect.wait > 0) await this.#pauses.sleep(prospect.wait);
    this.#pauses.checkClient();
    const target = this.#service.pick(this.#exchange, this.#tried);
    if (target === undefined && head !== undefined) throw new GatewayError('SERVICE_UNAVAILABLE');
    return target !== undefined && (prospect.anywhere || !this.#tried.includes(target)) ? target : undefined;
  }

  #hasUntried(): boolean {
    return this.#service.targets.some((target) => target.takesRequests && !this.#tried.includes(target));
  }

  /** Another target after one that was refused, by an open circuit for example; nothing was sent, so nothing is repeated. */
  #elsewhere(failure: unknown): Target | undefined {
    if (!isGatewayError(failure) || !failure.anotherTarget) return undefined;
    const target = this.#service.pick(this.#exchange, this.#tried);
    if (target === undefined || this.#tried.includes(target)) return undefined;
    this.#attempts--;
    return target;
  }

  /** Each request counts once, by its first attempt. */
  #count(isGood: boolean): void {
    this.#counted = true;
    const { retryBudget } = this.#service;
    const now = this.#parts.clock.monotonic();
    if (isGood) retryBudget.answered(now);
    else retryBudget.failed(now);
  }

  /** Whether there is time for another attempt after a wait. */
  #isInTime(wait: number): boolean {
    const { total } = this.#service.settings.timeout;
    return total === 0 || this.#startedAt + total - this.#parts.clock.monotonic() > wait;
  }

  /** Only what may have to be sent again after an upstream has seen it; of the rest nothing is gone. */
  #keepsBody(): boolean {
    const exchange = this.#exchange;
    return (
      this.#policy.attempts > 1 &&
      exchange.hasBody &&
      exchange.body === undefined &&
      this.#policy.repeats(exchange.req.method ?? '') &&
      declaredLength(exchange) <= this.#policy.bufferLimit
    );
  }

  #repeatsBody(response: UpstreamResponse): boolean {
    const exchange = this.#exchange;
    if (!exchange.hasBody || exchange.body !== undefined) return true;
    return this.#replay?.repeatable ?? response.connectedAt === 0;
  }
}
