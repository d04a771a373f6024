import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { AttemptWrapper, GatewayContext, Route, UpstreamHead } from '../plugin.js';
import type { Target } from '../services/target.js';
import { BodyReader, provideBodyReader } from './buffered-body.js';
import { type FieldClassifier, responseFields } from './header-fields.js';
import type { RequestHeadWriter } from './request-head.js';
import type { SlowBodyGuard } from './slow-body-guard.js';
import { UpstreamAttempt } from './upstream-attempt.js';
import { upstreamError } from './upstream-errors.js';
import { UpstreamResponse } from './upstream-response.js';

/** What the proxy stage needs. */
export interface ProxyStageOptions {
  readonly clock: Clock;
  readonly head: RequestHeadWriter;
  readonly slowBodies: SlowBodyGuard;
  /** Largest request body in bytes, or 0 for no limit. */
  readonly maxBody: number;
}

/** The innermost stage of a route's onion. */
export type ProxyHandler = (ctx: GatewayContext) => Promise<void>;

/** Puts the head of the upstream's response into the client's. */
export type HeadReceiver = (ctx: GatewayContext, response: UpstreamResponse) => void;

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
  forRoute(route: Route, wrappers: readonly AttemptWrapper[], receive: HeadReceiver): ProxyHandler {
    const { service } = route;
    provideBodyReader(route, this.#bodies);
    const send = wrappers.reduceRight<Send>(
      (inner, wrapper) => (exchange, target) =>
        wrapper({ exchange, target, number: exchange.attempts }, () => inner(exchange, target)),
      (exchange, target) => this.#send(exchange, target),
    );
    return async (ctx) => {
      const exchange = ctx.gateway;
      const target = service.pick(exchange);
      if (target === undefined) throw new GatewayError('SERVICE_UNAVAILABLE');
      exchange.target = target;
      exchange.attempts++;
      await send(exchange, target);
      exchange.headAt = this.#clock.monotonic();
      const { upstream } = exchange;
      if (upstream !== undefined && upstream.status !== 0) receive(ctx, upstream);
    };
  }

  async #send(exchange: Exchange, target: Target): Promise<UpstreamHead> {
    const { req } = exchange;
    const { timeout } = exchange.route.service.settings;
    const response = new UpstreamResponse(
      this.#responseFields,
      new UpstreamAttempt(exchange, target, this.#clock, timeout.total),
    );
    exchange.upstream = response;
    const options: Dispatcher.DispatchOptions = {
      path: exchange.upstreamPath,
      method: (req.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: this.#head.write(exchange, target),
      body: exchange.body ?? (exchange.hasBody ? this.#bodies.open(exchange) : null),
      headersTimeout: timeout.response,
      bodyTimeout: timeout.idle,
    };
    try {
      return await response.send(target.dispatcher, options);
    } catch (error) {
      throw upstreamError(error);
    }
  }
}
