import { inject, injectable } from 'tsyringe';
import {
  type AttemptWrapper,
  CLOCK,
  type Clock,
  ConfigurationError,
  type EndpointRouter,
  EVENTS,
  type GatewayEvents,
  type GatewayMiddleware,
  type GatewayPlugin,
  type Hooks,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  type Metric,
  PLUGIN_ID,
  type PluginStats,
  type Route,
  SERVICES,
  type Service,
  ServiceReferences,
  type ServiceRegistry,
} from '../../core/index.js';
import { mountCircuitRoutes } from './admin-routes.js';
import { GuardedService, type GuardLookup, guardAttempts } from './attempts.js';
import { CircuitBoard, type NamedCircuit } from './circuit-board.js';
import { createFallback } from './fallback.js';
import { fallbackMistakes } from './fallback-options.js';
import { Ledger } from './ledger.js';
import { type CircuitBreakerOptions, contradictions, policyOf } from './policy.js';
import { SEVERITY, summarise } from './reports.js';

/** What guards one service in this generation. */
interface Guards {
  /** On the service's own route; undefined where the plugin is off there. */
  main: GuardedService | undefined;
  /** Of all its routes: those with a policy of their own have circuits of their own. */
  readonly boards: Set<CircuitBoard>;
}

/** Cuts services off that keep failing, and tries them again after a while. */
@injectable()
export class CircuitBreaker implements GatewayPlugin<CircuitBreakerOptions> {
  readonly hooks: Hooks = {
    onServiceChange: ({ service, change }) => {
      if (change === 'removed') this.#forget(service);
    },
  };
  readonly #pluginId: string;
  readonly #clock: Clock;
  readonly #kept: KeptState;
  readonly #services: ServiceRegistry;
  readonly #references: ServiceReferences;
  readonly #logger: Logger;
  readonly #ledger: Ledger;
  readonly #boards = new Set<CircuitBoard>();
  /** By the object: routes are also compiled for services that never come to life. */
  readonly #guards = new WeakMap<Service, Guards>();

  constructor(
    @inject(PLUGIN_ID) pluginId: string,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(SERVICES) services: ServiceRegistry,
    @inject(EVENTS) events: GatewayEvents,
    @inject(LOGGER) logger: Logger,
  ) {
    this.#pluginId = pluginId;
    this.#clock = clock;
    this.#kept = kept;
    this.#services = services;
    this.#references = new ServiceReferences({ services, pluginId, logger });
    this.#logger = logger;
    this.#ledger = kept.keep(`circuit-breaker ${pluginId}`, () => new Ledger(events, logger));
    this.#ledger.logger = logger;
  }

  /** @throws ConfigurationError when the fallback names a service that is not there */
  middleware(route: Route, { fallback }: CircuitBreakerOptions): GatewayMiddleware | undefined {
    const service = fallback?.service;
    this.#references.check(route, service === undefined ? [] : [{ path: 'fallback.service', service }]);
    if (fallback === undefined) return undefined;
    return createFallback(fallback, {
      lookUp: this.#lookUp,
      find: (name) => this.#services.get(name),
    });
  }

  /** @throws ConfigurationError when the options contradict each other */
  attempt(route: Route, options: CircuitBreakerOptions): AttemptWrapper {
    const file = `plugin ${this.#pluginId}, route ${route.id}`;
    const mistakes = [...contradictions(options, file), ...fallbackMistakes(options.fallback, file)];
    if (mistakes.length > 0) throw new ConfigurationError(mistakes);
    const { service } = route;
    const board = this.#boardFor(options);
    const guarded = new GuardedService(service, board);
    const guards = this.#guards.get(service) ?? { main: undefined, boards: new Set() };
    guards.boards.add(board);
    if (isOwnRoute(route)) guards.main = guarded;
    this.#guards.set(service, guards);
    return guardAttempts(guarded, this.#lookUp, this.#clock);
  }

  admin(router: EndpointRouter): void {
    mountCircuitRoutes(router, { circuits: () => this.#circuits(), logger: this.#logger });
  }

  stats(): PluginStats {
    const circuits = this.#circuits();
    const active = [...circuits.values()].flat().filter(({ circuit }) => circuit.state !== 'CLOSED').length;
    return {
      config: { enable_circuit_breaker: true },
      status: { active_circuit_breakers: active },
      stats: {
        request_stats: { circuit_breaker_trips: this.#ledger.trips },
        circuit_breaker_stats: Object.fromEntries(
          [...circuits].map(([service, each]) => [service, summarise(each)]),
        ),
      },
    };
  }

  metrics(): Iterable<Metric> {
    const circuits = [...this.#circuits()];
    return [
      {
        name: 'gateway_circuit_breaker_state',
        help: 'State of the circuit of a service, the worst where it has several: 0 closed, 1 half-open, 2 open.',
        type: 'gauge',
        series: circuits.map(([service, each]) => ({
          labels: { service },
          value: SEVERITY[summarise(each).state],
        })),
      },
      {
        name: 'gateway_circuit_breaker_trips_total',
        help: 'How often the circuits of a service opened because of failures or slow calls.',
        type: 'counter',
        series: circuits.map(([service]) => ({ labels: { service }, value: this.#ledger.tripsOf(service) })),
      },
    ];
  }

  readonly #lookUp: GuardLookup = (service) => this.#guards.get(service)?.main;

  #boardFor(options: CircuitBreakerOptions): CircuitBoard {
    const policy = policyOf(options);
    const board = this.#kept.keep(
      `circuit-breaker ${this.#pluginId} ${policy.key}`,
      () => new CircuitBoard(policy, this.#clock, this.#ledger),
    );
    this.#boards.add(board);
    return board;
  }

  /** By service: the circuits of the live services that have some. */
  #circuits(): Map<string, NamedCircuit[]> {
    const circuits = new Map<string, NamedCircuit[]>();
    for (const service of this.#services.list()) {
      const guards = this.#guards.get(service);
      if (guards === undefined) continue;
      const own = [...guards.boards].flatMap((board) => board.list(service));
      circuits.set(service.name, own);
    }
    return circuits;
  }

  #forget(service: string): void {
    for (const board of this.#boards) board.forget(service);
    this.#ledger.forget(service);
  }
}

/** Whether it is the route that every service has by its name. */
function isOwnRoute({ id, pattern, service: { name } }: Route): boolean {
  return id === name && pattern === `/api/v1/${name}/**`;
}
