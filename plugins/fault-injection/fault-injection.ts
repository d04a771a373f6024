import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  ConfigurationError,
  type GatewayContext,
  GatewayError,
  type GatewayMiddleware,
  type GatewayPlugin,
  LOGGER,
  type Logger,
  PLUGIN_ID,
  type Route,
} from '../../core/index.js';
import { Delays } from './delays.js';
import { AbortFault, type AbortOptions, DelayFault, type DelayOptions } from './faults.js';
import { resetConnection } from './reset.js';
import { type AbortStatus, CODES } from './statuses.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    /** The fault that was injected; of both, the abort. */
    fault: 'delay' | 'abort';
  }
}

/** Options of the fault injection. */
export interface FaultInjectionOptions {
  readonly delay?: DelayOptions;
  readonly abort?: AbortOptions;
  readonly maxDelayed: number;
}

/** More ids than this make a log line that nobody reads. */
const MOST_ROUTES = 20;

/** Holds requests up and aborts them, so that it can be seen what clients make of that. */
@injectable()
export class FaultInjection implements GatewayPlugin<FaultInjectionOptions> {
  readonly hooks = { onStart: () => this.#warnOfAll() };
  readonly #pluginId: string;
  readonly #logger: Logger;
  readonly #delays: Delays;
  readonly #random: () => number;
  /** Routes with faults, until the start. */
  #routes: string[] | undefined = [];

  /** @param random in [0, 1); for tests */
  constructor(
    @inject(PLUGIN_ID) pluginId: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    random: () => number = Math.random,
  ) {
    this.#pluginId = pluginId;
    this.#logger = logger;
    this.#delays = new Delays(clock);
    this.#random = random;
  }

  /** @throws ConfigurationError for a range of delays that ends before it begins */
  middleware(route: Route, options: FaultInjectionOptions): GatewayMiddleware | undefined {
    const { maxDelayed } = options;
    this.#check(route, options);
    const delay = options.delay?.percentage ? new DelayFault(options.delay, this.#random) : undefined;
    const abort = options.abort?.percentage ? new AbortFault(options.abort, this.#random) : undefined;
    if (delay === undefined && abort === undefined) return undefined;
    if (this.#routes === undefined) this.#warn([route.id]);
    else this.#routes.push(route.id);
    return (ctx, next) => {
      const { headers } = ctx.req;
      const duration = delay?.of(headers) ?? 0;
      const status = abort?.of(headers);
      if (duration > 0 && this.#delays.waiting < maxDelayed) return this.#hold(ctx, duration, status, next);
      return status === undefined ? next() : this.#end(ctx, status);
    };
  }

  async #hold(
    ctx: GatewayContext,
    duration: number,
    status: AbortStatus | undefined,
    next: () => Promise<void>,
  ): Promise<void> {
    ctx.gateway.decide('fault', 'delay');
    ctx.set('X-Fault-Injected', 'delay');
    await this.#delays.wait(ctx.gateway, duration);
    if (status === undefined) await next();
    else this.#end(ctx, status);
  }

  /** @throws GatewayError that the request is answered with */
  #end(ctx: GatewayContext, status: AbortStatus): void {
    const { gateway: exchange } = ctx;
    exchange.decide('fault', 'abort');
    const cause = new Error(`Injected by ${this.#pluginId}`);
    if (status !== 'reset') {
      ctx.append('X-Fault-Injected', 'abort');
      throw new GatewayError(CODES.get(status) ?? 'INTERNAL_ERROR', { cause });
    }
    resetConnection(exchange);
    // An upgrade would go on to be taken over.
    if (exchange.kind === 'upgrade') throw new GatewayError('BAD_GATEWAY', { cause });
    ctx.respond = false;
    exchange.errorCode = 'BAD_GATEWAY';
  }

  #check(route: Route, { delay }: FaultInjectionOptions): void {
    if (delay?.maxDuration === undefined || delay.maxDuration >= delay.duration) return;
    throw new ConfigurationError([
      {
        file: `plugin ${this.#pluginId}, route ${route.id}`,
        path: 'delay.maxDuration',
        found: `${delay.maxDuration} ms`,
        expected: `at least delay.duration, which is ${delay.duration} ms`,
      },
    ]);
  }

  #warnOfAll(): void {
    const routes = this.#routes ?? [];
    this.#routes = undefined;
    if (routes.length > 0) this.#warn(routes);
  }

  #warn(routes: readonly string[]): void {
    this.#logger.warn(
      { routes: routes.slice(0, MOST_ROUTES), count: routes.length },
      'Faults are injected: requests are held up or aborted on purpose',
    );
  }
}
