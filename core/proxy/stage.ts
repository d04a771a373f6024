import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { AttemptUpgrade, AttemptWrapper, Route, UpstreamHead } from '../plugin.js';
import type { Target } from '../services/target.js';
import { BodyReader, provideBodyReader } from './buffered-body.js';
import { type FieldClassifier, responseFields } from './header-fields.js';
import type { RequestHeadWriter } from './request-head.js';
import type { SlowBodyGuard } from './slow-body-guard.js';
import { UpstreamAttempt } from './upstream-attempt.js';
import { UpstreamResponse } from './upstream-response.js';

/** What the proxy stage needs. */
export interface ProxyStageOptions {
  readonly clock: Clock;
  readonly head: RequestHeadWriter;
  readonly slowBodies: SlowBodyGuard;
  /** Largest request body in bytes, or 0 for no limit. */
  readonly maxBody: number;
}

/**
 * Forwards one exchange to an upstream: resolves once the head of the response is in `exchange.upstream`.
 *
 * @throws GatewayError SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT or BAD_GATEWAY; whatever an attempt wrapper throws
 */
export type Forward = (exchange: Exchange) => Promise<unknown>;

type Send = (exchange: Exchange, target: Target) => Promise<UpstreamHead>;

/**
 * The proxy stage: picks a target, makes the attempt through the plugins' attempt wrappers, and hands the head back
 * to the onion. The body stays in the {@link UpstreamResponse} until the writer takes it.
 */
export class ProxyStage {
  readonly #clock: Clock;
  readonly #head: RequestHeadWriter;
  readonly #bodies: BodyReader;
  readonly #responseFields: FieldClassifier = responseFields();

  constructor(options: ProxyStageOptions) {
    this.#clock = options.clock;
    this.#head = options.head;
    this.#bodies = new BodyReader({ maxBytes: options.maxBody, slowBodies: options.slowBodies });
  }

  /**
   * Builds the stage of one route.
   *
   * @param wrappers the outermost first
   */
  forRoute(route: Route, wrappers: readonly AttemptWrapper[]): Forward {
    provideBodyReader(route, this.#bodies);
    const send = wrappers.reduceRight<Send>(
      (inner, wrapper) => (exchange, target) =>
        wrapper({ exchange, target, number: exchange.attempts }, () => inner(exchange, target)),
      (exchange, target) => this.#send(exchange, target),
    );
    return (exchange) => {
      const target = exchange.service.pick(exchange);
      if (target === undefined) return Promise.reject(new GatewayError('SERVICE_UNAVAILABLE'));
      exchange.target = target;
      exchange.attempts++;
      return send(exchange, target);
    };
  }

  /** Builds the attempts of upgrades on one route; see {@link AttemptUpgrade}. */
  forUpgrades(wrappers: readonly AttemptWrapper[]): AttemptUpgrade {
    return (exchange, connect, tried) => {
      const target = exchange.service.pick(exchange, tried);
      if (target === undefined) return Promise.reject(new GatewayError('SERVICE_UNAVAILABLE'));
      exchange.target = target;
      exchange.attempts++;
      const attempt = { exchange, target, number: exchange.attempts };
      return wrappers.reduceRight<() => Promise<UpstreamHead>>(
        (inner, wrapper) => () => wrapper(attempt, inner),
        () => connect(target),
      )();
    };
  }

  #send(exchange: Exchange, target: Target): Promise<UpstreamHead> {
    const { req } = exchange;
    if (exchange.hasBody && exchange.body === undefined) this.#bodies.takeArrived(exchange);
    const { timeout } = exchange.service.settings;
    const response = new UpstreamResponse(
      this.#responseFields,
      new UpstreamAttempt(exchange, target, this.#clock, timeout.total),
      this.#clock,
    );
    exchange.upstream = response;
    const options: Dispatcher.DispatchOptions = {
      path: exchange.upstreamPath,
      method: (req.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: this.#head.write(exchange),
      body: exchange.body ?? (exchange.hasBody ? this.#bodies.open(exchange) : null),
      headersTimeout: timeout.response,
      bodyTimeout: timeout.idle,
    };
    return response.send(target.dispatcher, options);
  }
}
