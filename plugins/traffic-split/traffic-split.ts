import { inject, injectable } from 'tsyringe';
import {
  ConfigurationError,
  type Exchange,
  type GatewayMiddleware,
  type GatewayPlugin,
  type HashKey,
  hashKeyOf,
  LOGGER,
  type Logger,
  leadTo,
  PLUGIN_ID,
  type Route,
  SERVICES,
  ServiceReferences,
  type ServiceRegistry,
} from '../../core/index.js';
import { Forced } from './forced.js';
import { contradictions, type TrafficSplitOptions } from './options.js';
import { Splitter } from './splitter.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    /** The service that a request was led to. */
    split: string;
  }
}

/** Leads each request of a route to one of several services. */
@injectable()
export class TrafficSplit implements GatewayPlugin<TrafficSplitOptions> {
  readonly #services: ServiceRegistry;
  readonly #pluginId: string;
  readonly #references: ServiceReferences;
  readonly #random: () => number;

  /** @param random in [0, 1); for tests */
  constructor(
    @inject(SERVICES) services: ServiceRegistry,
    @inject(PLUGIN_ID) pluginId: string,
    @inject(LOGGER) logger: Logger,
    random: () => number = Math.random,
  ) {
    this.#services = services;
    this.#pluginId = pluginId;
    this.#references = new ServiceReferences({ services, pluginId, logger });
    this.#random = random;
  }

  /** @throws ConfigurationError when the options contradict each other, or name a service that is not there */
  middleware(route: Route, options: TrafficSplitOptions): GatewayMiddleware | undefined {
    const mistakes = contradictions(options, `plugin ${this.#pluginId}, route ${route.id}`);
    if (mistakes.length > 0) throw new ConfigurationError(mistakes);
    this.#references.check(
      route,
      options.to.map(({ service }, position) => ({ path: `to[${position}].service`, service })),
    );
    if (options.to.length === 0) return undefined;
    const split = new Split(options, this.#services, this.#random);
    return (ctx, next) => {
      split.lead(ctx.gateway);
      return next();
    };
  }
}

/** The split of one route. */
class Split {
  readonly #names: readonly string[];
  readonly #services: ServiceRegistry;
  readonly #splitter: Splitter;
  readonly #key: HashKey | undefined;
  readonly #forced: Forced | undefined;
  readonly #fallback: boolean;

  constructor(options: TrafficSplitOptions, services: ServiceRegistry, random: () => number) {
    this.#names = options.to.map(({ service }) => service);
    this.#services = services;
    this.#splitter = new Splitter(options.to, random);
    this.#key = keyOf(options);
    this.#forced = options.force.length === 0 ? undefined : new Forced(options.force, this.#names);
    this.#fallback = options.fallback;
  }

  lead(exchange: Exchange): void {
    const key = this.#key?.(exchange);
    const forced = this.#forced?.find(exchange) ?? -1;
    const first = forced === -1 ? this.#splitter.pick(key) : forced;
    // A service that was removed leaves its requests to the one that the route itself leads to.
    let service = this.#serviceAt(first);
    if (this.#fallback && service?.healthy === false) {
      let tried = 0;
      for (let position = first; position !== -1; position = this.#splitter.pick(key, tried)) {
        tried |= 1 << position;
        const other = this.#serviceAt(position);
        if (other?.healthy !== true) continue;
        service = other;
        break;
      }
    }
    if (service !== undefined && service !== exchange.service) leadTo(exchange, service);
    exchange.decide('split', exchange.service.name);
  }

  #serviceAt(position: number) {
    return this.#services.get(this.#names[position] ?? '');
  }
}

function keyOf({ sticky, stickyKey }: TrafficSplitOptions): HashKey | undefined {
  if (sticky === 'none') return undefined;
  return hashKeyOf({
    algorithm: 'consistent-hash',
    hashOn: sticky,
    ...(stickyKey === undefined ? {} : { hashKey: stickyKey }),
  });
}
