import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { AttemptUpgrade, AttemptWrapper, Route, UpstreamHead } from '../plugin.js';
import type { Target } from '../services/target.js';
import { BodyReader, provideBodyReader } from './buffered-body.js';
import { type FieldClassifier, responseFields } from './header-fields.js';
import type { RequestHeadWriter } from './request-head.js';
import type { RetryPolicy } from './retries/policy.js';
import { RoutePolicies } from './retries/route-policies.js';
import { type AttemptPlan, RetryRun, type RetryRunParts, type Send } from './retries/run.js';
import { LimitedAttempt } from './retries/slot.js';
import type { Outcome } from './retries/state.js';
import { upgradeAttempts } from './retries/upgrades.js';
import type { SlowBodyGuard } from './slow-body-guard.js';
import { UpstreamAttempt } from './upstream-attempt.js';
import { UpstreamResponse } from './upstream-response.js';

/** Limits on the head of a response are kept to the millisecond below this, in milliseconds; above, a second more matters little. */
const PRECISE_BELOW = 10_000;

/** What the proxy stage needs. */
export interface ProxyStageOptions {
  readonly clock: Clock;
  readonly head: RequestHeadWriter;
  readonly slowBodies: SlowBodyGuard;
  /** Largest request body in bytes, or 0 for no limit. */
  readonly maxBody: number;
  /** In [0, 1), for the waits between attempts; Math.random by default. */
  readonly random?: () => number;
}

/**
 * Forwards one exchange to an upstream: resolves once the head of the response is in `exchange.upstream`.
 *
 * @throws GatewayError SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT or BAD_GATEWAY; whatever an attempt wrapper throws
 */
export type Forward = (exchange: Exchange) => Promise<unknown>;

/**
 * The proxy stage: picks a target, makes the attempt through the plugins' attempt wrappers, again at another target where
 * it failed and may be repeated (see retries/run.ts), and hands the head back to the onion. The body stays in the {@link UpstreamResponse} until the writer takes it.
 */
export class ProxyStage {
  readonly #clock: Clock;
  readonly #head: RequestHeadWriter;
  readonly #bodies: BodyReader;
  readonly #random: () => number;
  readonly #responseFields: FieldClassifier = responseFields();

  constructor(options: ProxyStageOptions) {
    this.#clock = options.clock;
    this.#head = options.head;
    this.#bodies = new BodyReader({ maxBytes: options.maxBody, slowBodies: options.slowBodies });
    this.#random = options.random ?? Math.random;
  }

  /**
   * Builds the stage of one route.
   *
   * @param wrappers the outermost first
   */
  forRoute(route: Route, wrappers: readonly AttemptWrapper[]): Forward {
    provideBodyReader(route, this.#bodies);
    const send = wrappers.reduceRight<Send>(
      (inner, wrapper) => (exchange, target, plan) =>
        wrapper({ exchange, target, number: exchange.attempts + 1 }, () => inner(exchange, target, plan)),
      (exchange, target, plan) => this.#send(exchange, target, plan),
    );
    const parts = { clock: this.#clock, random: this.#random, bodies: this.#bodies, send };
    const policies = new RoutePolicies(route);
    return (exchange) => {
      const { service } = exchange;
      const target = service.pick(exchange);
      if (target === undefined) return Promise.reject(new GatewayError('SERVICE_UNAVAILABLE'));
      if (exchange.hasBody && exchange.body === undefined) this.#bodies.takeArrived(exchange);
      const policy = policies.of(service);
      if (service.admission !== undefined || needsPlan(exchange, policy)) {
        return new RetryRun(parts, exchange, policy).start(target);
      }
      exchange.target = target;
      exchange.upstream = undefined;
      return send(exchange, target, undefined).then(
        (head) => {
          const response = exchange.upstream;
          if (head !== response || head.status >= policy.suspectFrom) {
            return resume(parts, exchange, policy, { target, head, failure: undefined, response });
          }
          service.retryBudget.answered(response.headAt);
          if (target.outlier !== undefined) target.outlier.record(true);
          return head;
        },
        (failure: unknown) =>
          resume(parts, exchange, policy, { target, head: undefined, failure, response: exchange.upstream }),
      );
    };
  }

  /** Builds the attempts of upgrades on one route; see {@link AttemptUpgrade}. */
  forUpgrades(wrappers: readonly AttemptWrapper[]): AttemptUpgrade {
    return upgradeAttempts(wrappers, this.#head, this.#clock);
  }

  #send(exchange: Exchange, target: Target, plan: AttemptPlan | undefined): Promise<UpstreamHead> {
    const { req } = exchange;
    const { timeout } = exchange.service.settings;
    const slot = plan?.slot;
    const total = plan === undefined ? timeout.total : plan.total;
    const attempt =
      slot === undefined
        ? new UpstreamAttempt(exchange, target, this.#clock, total)
        : new LimitedAttempt(slot, exchange, target, this.#clock, total);
    exchange.attempts++;
    const response = new UpstreamResponse(this.#responseFields, attempt, this.#clock);
    slot?.keepFor(response);
    exchange.upstream = response;
    const options: Dispatcher.DispatchOptions = {
      path: exchange.upstreamPath,
      method: (req.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: this.#head.write(exchange),
      body: plan === undefined ? this.#body(exchange) : plan.body(),
      headersTimeout: timeout.response,
      bodyTimeout: timeout.idle,
    };
    // undici gives a body that streams its time; one that is there in full, or none, begins the wait for the head.
    const streams = options.body !== null && !Buffer.isBuffer(options.body);
    if (timeout.response !== 0 && timeout.response < PRECISE_BELOW && !streams) {
      response.limitHead(timeout.response);
    }
    return response.send(target.dispatcher, options);
  }

  #body(exchange: Exchange): Readable | Buffer | null {
    return exchange.body ?? (exchange.hasBody ? this.#bodies.open(exchange) : null);
  }
}

/** Whether the first attempt needs more than a target; what does not is the rule. */
function needsPlan(exchange: Exchange, policy: RetryPolicy): boolean {
  return (
    policy.perTryTimeout !== 0 ||
    (exchange.hasBody && exchange.body === undefined && policy.repeats(exchange.req.method ?? ''))
  );
}

function resume(
  parts: RetryRunParts,
  exchange: Exchange,
  policy: RetryPolicy,
  first: Outcome,
): Promise<UpstreamHead> {
  return new RetryRun(parts, exchange, policy).resume(first);
}
