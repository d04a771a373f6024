import type { Clock } from '../clock.js';
import { SettingError } from '../config/mistakes.js';
import type { ServiceSettings } from '../config/service-schema.js';
import { GatewayError } from '../errors.js';
import type { GatewayEvents } from '../events.js';
import type { Logger } from '../log/logger.js';
import { HealthChecker } from './health.js';
import { LiveServices } from './live-services.js';
import { checkServiceName } from './names.js';
import type { UpstreamPools } from './pools.js';
import { httpProbe, type Probe } from './probe.js';
import type { Service, ServiceOrigin } from './service.js';
import type { ServiceStore, StoredService } from './store.js';
import { TlsFileError } from './tls-files.js';

/** The most services that a registry takes, declared and registered together. */
const MAX_SERVICES = 100_000;

/** What a {@link ServiceRegistry} is built on. */
export interface ServiceRegistryInit {
  readonly pools: UpstreamPools;
  readonly clock: Clock;
  readonly events: GatewayEvents;
  readonly logger?: Logger | undefined;
  /** Where run-time registrations are kept; without one they end with the process. */
  readonly store?: ServiceStore | undefined;
  /** How a target is checked; for tests. */
  readonly probe?: Probe | undefined;
  /** In [0, 1); for tests. */
  readonly random?: (() => number) | undefined;
}

/** A set of services that was constructed, and takes no part in anything until it is committed. */
export interface PreparedServices {
  /** By name: the declared ones, and those registered at run time. */
  readonly services: ReadonlyMap<string, Service>;
}

interface Preparation extends PreparedServices {
  readonly services: Map<string, Service>;
  readonly defaults: ReadonlyMap<string, ServiceSettings>;
  /** Names of run-time registrations that the configuration has taken over. */
  readonly shadowed: string[];
}

/**
 * The services of a gateway. One per gateway; survives reloads. A reload prepares a new set and commits or discards
 * it; changes at run time wait in between, so that no generation misses one. Call {@link load} before the first
 * {@link prepare}, and {@link stop} at the end.
 */
export class ServiceRegistry {
  readonly #pools: UpstreamPools;
  readonly #health: HealthChecker;
  readonly #live: LiveServices;
  readonly #logger: Logger | undefined;
  readonly #store: ServiceStore | undefined;

  /** The gateway's defaults by name, which come back when their run-time replacement is removed. */
  #defaults: ReadonlyMap<string, ServiceSettings> = new Map();
  /** What was registered at run time, also where the configuration has taken the name over. */
  #records = new Map<string, StoredService>();
  #loaded: boolean;
  #stopped = false;

  #prepared: Preparation | undefined;
  /** Continues the change that waits for the prepared services to be committed or discarded. */
  #resume: (() => void) | undefined;
  /** The end of the queue of changes; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(init: ServiceRegistryInit) {
    this.#pools = init.pools;
    this.#logger = init.logger;
    this.#store = init.store;
    this.#loaded = init.store === undefined;
    const random = init.random ?? Math.random;
    const probe: Probe = ({ url, dispatcher }, path, signal) =>
      httpProbe({ url, dispatcher: init.pools.forChecks(dispatcher) }, path, signal);
    this.#health = new HealthChecker({ ...init, probe: init.probe ?? probe, random });
    this.#live = new LiveServices({ ...init, random, health: this.#health });
  }

  /** The service of that name. */
  get(name: string): Service | undefined {
    return this.#live.get(name);
  }

  /** Whether there is a service of that name, or will be as soon as the set that was prepared is committed. */
  expects(name: string): boolean {
    return this.#prepared ? this.#prepared.services.has(name) : this.#live.get(name) !== undefined;
  }

  /** The names that are {@link expects expected}. */
  expectedNames(): string[] {
    return this.#prepared ? [...this.#prepared.services.keys()] : this.list().map(({ name }) => name);
  }

  /** All services. */
  list(): Service[] {
    return this.#live.list();
  }

  /**
   * Reads what was registered at run time, for the first {@link prepare} to include.
   *
   * @throws Error when the store is damaged
   */
  async load(): Promise<void> {
    const records = (await this.#store?.load()) ?? [];
    this.#records = new Map(records.map((record) => [record.name, record]));
    this.#loaded = true;
  }

  /**
   * Constructs the services of a new configuration, without effect on the live ones. Connection pools and targets
   * that stay the same are shared with these, and a service that stays the same is the live one. To be ended by
   * {@link commit} or {@link discard}.
   *
   * @throws GatewayError BAD_REQUEST for a name that no service may have
   * @throws Error when a TLS file cannot be read, naming file and setting, and for more than {@link MAX_SERVICES}
   */
  prepare(
    services: Readonly<Record<string, ServiceSettings>>,
    origin: 'configuration' | 'default',
  ): PreparedServices {
    if (!this.#loaded) throw new Error('ServiceRegistry.load() must have ended before prepare()');
    if (this.#prepared) throw new Error('The services prepared before were neither committed nor discarded');
    const declared = new Map(Object.entries(services));
    const defaults: Preparation['defaults'] = origin === 'default' ? declared : new Map();
    const prepared: Preparation = { services: new Map(), defaults, shadowed: [] };
    try {
      for (const [name, settings] of declared) {
        checkServiceName(name);
        if (origin === 'default' && this.#records.has(name)) continue;
        prepared.services.set(name, this.#build(name, origin, settings));
      }
      for (const [name, { settings }] of this.#records) {
        if (prepared.services.has(name)) prepared.shadowed.push(name);
        else prepared.services.set(name, this.#build(name, 'runtime', settings));
      }
      if (prepared.services.size > MAX_SERVICES) {
        throw new Error(`services: ${prepared.services.size} are too many, expected at most ${MAX_SERVICES}`);
      }
    } catch (error) {
      for (const service of prepared.services.values()) this.#live.release(service);
      throw error;
    }
    this.#prepared = prepared;
    return prepared;
  }

  /** Makes the prepared services the live ones, and announces each difference with `service.change`. */
  commit(prepared: PreparedServices): void {
    const { services, defaults, shadowed } = this.#settle(prepared);
    this.#defaults = defaults;
    this.#live.swap(services);
    for (const service of shadowed) {
      const message =
        'The configuration declares a service that was also registered at run time, and takes its place';
      this.#logger?.warn({ service }, message);
    }
  }

  /** Gives the prepared services up; the live ones stay as they are. */
  discard(prepared: PreparedServices): void {
    for (const service of this.#settle(prepared).services.values()) this.#live.release(service);
  }

  /**
   * Adds a service, or replaces one of the gateway's defaults. It is stored before it takes effect.
   *
   * @param settings complete and validated
   * @throws GatewayError BAD_REQUEST for an impossible name or an unreadable TLS file, CONFLICT when the name is
   *   taken or there are {@link MAX_SERVICES}
   */
  async register(name: string, settings: ServiceSettings): Promise<void> {
    checkServiceName(name);
    await this.#enqueue(name, structuredClone(settings), () => {
      const known = this.#changeable(name);
      if (known?.origin === 'runtime') throw conflict(`The service '${name}' exists already`);
      if (!known && this.#live.size >= MAX_SERVICES) {
        throw conflict(`There are ${MAX_SERVICES} services already, which is the most possible`);
      }
    });
  }

  /**
   * Replaces the settings of a service. They are stored before they take effect.
   *
   * @param settings complete and validated
   * @throws GatewayError SERVICE_NOT_FOUND, CONFLICT when the configuration file declares the service, BAD_REQUEST
   *   for an unreadable TLS file
   */
  async update(name: string, settings: ServiceSettings): Promise<void> {
    await this.#enqueue(name, structuredClone(settings), () => {
      if (!this.#changeable(name)) throw unknownService(name);
    });
  }

  /**
   * Removes a service that was registered at run time; a default that it replaced comes back. The removal is stored
   * before it takes effect.
   *
   * @throws GatewayError SERVICE_NOT_FOUND, CONFLICT when the service was not registered at run time
   */
  async remove(name: string): Promise<void> {
    await this.#enqueue(name, undefined, () => {
      const known = this.#changeable(name);
      if (!known) throw unknownService(name);
      if (known.origin === 'default') {
        throw conflict(
          `The service '${name}' is a default; defaults end when a configuration declares services`,
        );
      }
    });
  }

  /** Waits for changes under way, ends the health checks and closes the pools. Later changes are refused. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#resume?.();
    await this.#tail;
    this.#live.stop();
    await this.#health.stop();
    await this.#pools.closeAll();
  }

  #enqueue(name: string, settings: ServiceSettings | undefined, check: () => void): Promise<void> {
    const change = this.#tail.then(() => this.#change(name, settings, check));
    this.#tail = change.catch(() => undefined);
    return change;
  }

  /** @param check throws when the change is impossible */
  async #change(name: string, settings: ServiceSettings | undefined, check: () => void): Promise<void> {
    while (this.#prepared && !this.#stopped) await this.#settled();
    if (this.#stopped) throw new GatewayError('GATEWAY_DRAINING');
    check();
    // Built once before it is stored, so that nothing is stored that could not be built at the next start.
    const trial = this.#buildRuntime(name, settings);
    try {
      const records = new Map(this.#records);
      if (settings) records.set(name, { name, settings });
      else records.delete(name);
      await this.#store?.save([...records.values()]);
      // A reload may have begun meanwhile; its set was prepared without this change.
      while (this.#prepared && !this.#stopped) await this.#settled();
      this.#records = records;
      this.#changeable(name);
      this.#live.set(name, this.#buildRuntime(name, settings));
    } finally {
      if (trial) this.#live.release(trial);
    }
  }

  /** The live service, undefined when there is none; throws when the configuration file declares it. */
  #changeable(name: string): Service | undefined {
    const service = this.#live.get(name);
    if (service?.origin === 'configuration') {
      throw conflict(`The service '${name}' is declared in the configuration file, change it there`);
    }
    return service;
  }

  #buildRuntime(name: string, settings: ServiceSettings | undefined): Service | undefined {
    try {
      if (settings) return this.#build(name, 'runtime', settings);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new GatewayError('BAD_REQUEST', { message: error.message, cause: error });
    }
    const fallback = this.#defaults.get(name);
    return fallback && this.#build(name, 'default', fallback);
  }

  #build(name: string, origin: ServiceOrigin, settings: ServiceSettings): Service {
    try {
      return this.#live.build(name, origin, settings);
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error;
      const { path, ...rest } = error.fault;
      throw new SettingError({ path: ['services', name, ...path], ...rest }, error);
    }
  }

  #settle(prepared: PreparedServices): Preparation {
    const preparation = this.#prepared;
    if (preparation === undefined || preparation !== prepared) {
      throw new Error('These services were committed or discarded before');
    }
    this.#prepared = undefined;
    this.#resume?.();
    return preparation;
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}

function conflict(message: string): GatewayError {
  return new GatewayError('CONFLICT', { message });
}

function unknownService(name: string): GatewayError {
  return new GatewayError('SERVICE_NOT_FOUND', { message: `There is no service '${name}'` });
}
