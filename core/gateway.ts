import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import type { DependencyContainer } from 'tsyringe';
import { atMost } from './at-most.js';
import { type Clock, systemClock } from './clock.js';
import type { LoadedConfiguration } from './config/load.js';
import { ConfigurationError } from './config/mistakes.js';
import { createRootContainer } from './container.js';
import { createServices, type Services } from './create-services.js';
import { GatewayEvents } from './events.js';
import type { Generation } from './generation.js';
import { type Candidate, GenerationFactory } from './generation-factory.js';
import { KeptState } from './kept-state.js';
import { type Logger, silentLogger } from './log/logger.js';
import type { PluginCatalogue } from './plugin.js';
import { checkReloadable } from './reloadable.js';
import { RequestCounters } from './request-counters.js';
import { GatewayServer } from './server/gateway-server.js';
import type { ServiceRegistry } from './services/registry.js';
import { CLOCK, DATA_DIRECTORY, EVENTS, KEPT_STATE, METRICS, PLUGIN_METRICS, SERVICES } from './tokens.js';
import { gatewayVersion } from './version.js';

/** What a gateway is made with, beside its configuration. */
export interface GatewayParts {
  /** The plugins that can be named without a path. */
  readonly catalogue: PluginCatalogue;
  readonly clock?: Clock;
  /** Nothing is logged without one. */
  readonly logger?: Logger;
}

type State = 'new' | 'running' | 'draining' | 'stopped';

/**
 * The gateway: one listening server, and the generation of configuration and plugins that serves its requests. A reload
 * makes a new generation beside the old one and swaps them; what must survive that lives here.
 */
export class Gateway {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events = new GatewayEvents();
  readonly #kept = new KeptState();
  readonly #container: DependencyContainer = createRootContainer();
  readonly #services: Services;
  readonly #server: GatewayServer;
  readonly #factory: GenerationFactory;
  readonly #version = gatewayVersion();
  #configuration: LoadedConfiguration;
  #generation: Generation | undefined;
  #state: State = 'new';
  #startedAt = 0;
  /** The newest of the changes of state, which wait for each other. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #retiring = new Map<Generation, Promise<void>>();

  constructor(configuration: LoadedConfiguration, parts: GatewayParts) {
    this.#configuration = configuration;
    this.#clock = parts.clock ?? systemClock;
    this.#logger = parts.logger ?? silentLogger;
    const shared = { clock: this.#clock, events: this.#events, logger: this.#logger };
    this.#services = createServices(configuration.settings, shared);
    this.#server = new GatewayServer({ ...shared, generation: () => this.#current() });
    this.#factory = new GenerationFactory({
      ...shared,
      catalogue: parts.catalogue,
      container: this.#container,
      registry: this.#services.registry,
      kept: this.#kept,
      counters: new RequestCounters(this.#clock),
      endpoints: {
        version: this.#version,
        now: () => this.#clock.now(),
        uptime: () => this.#clock.monotonic() - this.#startedAt,
        state: () => this.#state,
      },
    });
    this.#container.register(CLOCK, { useValue: this.#clock });
    this.#container.register(METRICS, { useValue: new Registry() });
    this.#container.register(PLUGIN_METRICS, { useValue: () => this.#generation?.pluginMetrics() ?? [] });
    this.#container.register(SERVICES, { useValue: this.#services.registry });
    this.#container.register(EVENTS, { useValue: this.#events });
    this.#container.register(KEPT_STATE, { useValue: this.#kept });
    this.#container.register(DATA_DIRECTORY, { useValue: configuration.settings.dataDirectory });
  }

  /** What the gateway announces. */
  get events(): GatewayEvents {
    return this.#events;
  }

  get services(): ServiceRegistry {
    return this.#services.registry;
  }

  /** The generation that serves requests now; undefined before the start. */
  get generation(): Generation | undefined {
    return this.#generation;
  }

  /** Where clients are served. */
  address(): AddressInfo {
    return this.#server.address();
  }

  /** Where administrators are served, if on a listener of their own. */
  adminAddress(): AddressInfo | undefined {
    return this.#server.adminAddress();
  }

  /**
   * Loads the plugins, starts them, and listens.
   *
   * @throws ConfigurationError with every mistake; whatever a plugin's `onStart` throws; an error of the listening
   *   socket. What had been started is stopped again.
   */
  start(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state !== 'new') throw new Error('A gateway is started once; make a new one');
      const { settings, baseDirectory, warnings } = this.#configuration;
      for (const warning of warnings) this.#logger.warn({}, warning);
      let next: Candidate | undefined;
      try {
        await this.#services.registry.load();
        next = await this.#factory.build(this.#configuration, true);
        this.#swap(next);
        this.#events.on('service.change', this.#onServiceChange);
        await this.#server.listen(settings, baseDirectory);
      } catch (error) {
        this.#events.off('service.change', this.#onServiceChange);
        this.#state = 'stopped';
        await next?.generation.hooks.stop();
        await this.#release();
        throw error;
      }
      this.#startedAt = this.#clock.monotonic();
      this.#state = 'running';
      const { address, port } = this.address();
      this.#logger.info({ address, port, version: this.#version }, 'The gateway is listening');
      await next.generation.hooks.ready();
    });
  }

  /**
   * Takes a new configuration into use without losing a request or a connection. Requests under way end in the
   * generation that they began in.
   *
   * @param load what it throws refuses the reload, like anything else that is wrong with the configuration
   * @returns what it gave
   * @throws ConfigurationError, or whatever kept the new generation from starting; the old one stays in use then
   */
  reload(load: () => LoadedConfiguration | Promise<LoadedConfiguration>): Promise<LoadedConfiguration> {
    return this.#enqueue(async () => {
      if (this.#state !== 'running') throw new Error('Only a running gateway can be reloaded');
      let configuration: LoadedConfiguration;
      let next: Candidate;
      try {
        configuration = await load();
        checkReloadable(this.#configuration, configuration);
        next = await this.#factory.build(configuration, true);
        await this.#takeCertificates(next);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const fields = error instanceof ConfigurationError ? { reason } : { err: error };
        this.#logger.error(fields, 'The configuration was not reloaded; the one before it stays in use');
        this.#events.emit('reload', { generation: this.#current().number, ok: false, reason });
        throw error;
      }
      for (const warning of configuration.warnings) this.#logger.warn({}, warning);
      const previous = this.#current();
      this.#configuration = configuration;
      this.#swap(next);
      this.#logger.info({ generation: next.generation.number }, 'The configuration was reloaded');
      await next.generation.hooks.ready();
      this.#retire(previous);
      this.#events.emit('reload', { generation: next.generation.number, ok: true });
      return configuration;
    });
  }

  /**
   * Stops in good order: no new connections, requests under way get `shutdown.drainTimeout` to end, then the hooks in
   * reverse. Harmless on a gateway that is not running.
   */
  stop(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state !== 'running') return;
      this.#state = 'draining';
      this.#events.off('service.change', this.#onServiceChange);
      this.#server.drain();
      this.#retire(this.#current(), this.#server.upgradesClosed());
      await Promise.all(this.#retiring.values());
      this.#server.destroy();
      await this.#release();
      this.#state = 'stopped';
      this.#logger.info({}, 'The gateway has stopped');
    });
  }

  /**
   * Builds the generation of a gateway that is not to be started, for `look` to look at.
   *
   * @throws ConfigurationError with every mistake
   */
  dryRun<T>(look: (generation: Generation) => T): Promise<T> {
    return this.#enqueue(async () => {
      if (this.#state !== 'new') throw new Error('A dry run is for a gateway that was not started');
      try {
        await this.#services.registry.load();
        const { generation, prepared } = await this.#factory.build(this.#configuration, false);
        const result = look(generation);
        this.#services.registry.discard(prepared);
        return result;
      } finally {
        this.#state = 'stopped';
        await this.#release();
      }
    });
  }

  /** Certificates that cannot be used refuse the reload, like anything else that is wrong with it. */
  async #takeCertificates(next: Candidate): Promise<void> {
    try {
      this.#server.renewTls(next.generation.settings);
    } catch (error) {
      await this.#factory.abandon(next);
      throw error;
    }
  }

  /** From here on, requests go to the new generation. */
  #swap({ generation, prepared }: Candidate): void {
    this.#generation = generation;
    this.#services.registry.commit(prepared);
  }

  /**
   * Lets a generation that gets no more requests come to its end, in the background.
   *
   * @param others what else gets time to end: the stop's, upgraded connections, which a reload neither cuts nor waits for
   */
  #retire(generation: Generation, others?: Promise<void>): void {
    const end = async () => {
      const { hooks, settings } = generation;
      await hooks.drain();
      await atMost(Promise.all([generation.idle(), others]), settings.shutdown.drainTimeout, this.#clock);
      if (generation.active > 0) this.#logger.warn({ active: generation.active }, 'Requests were cut off');
      await hooks.stop();
      for (const plugin of generation.plugins) await plugin.container.dispose();
      this.#retiring.delete(generation);
      // What an older generation still works with stays, although the newest did not ask for it.
      const oldest = Math.min(
        this.#current().number,
        ...[...this.#retiring.keys()].map(({ number }) => number),
      );
      this.#kept.sweep(oldest);
    };
    const ended = end()
      .catch((err: unknown) => this.#logger.error({ err }, 'A generation did not end cleanly'))
      .finally(() => this.#retiring.delete(generation));
    this.#retiring.set(generation, ended);
  }

  async #release(): Promise<void> {
    try {
      this.#kept.clear();
    } catch (err) {
      this.#logger.error({ err }, 'State that was kept could not be disposed of');
    }
    await this.#services.registry.stop();
    await this.#services.pools.closeAll();
    await this.#container.dispose();
  }

  readonly #onServiceChange = ({
    service: name,
    change,
  }: {
    service: string;
    change: 'added' | 'updated' | 'removed';
  }) => {
    const generation = this.#current();
    const service = this.#services.registry.get(name);
    if (service === undefined) generation.router.removeService(name);
    // A commit announces what the new generation has compiled already.
    else if (generation.router.serviceOf(name) !== service) generation.setService(service);
    void generation.hooks.serviceChange({ service: name, change });
  };

  #current(): Generation {
    if (this.#generation === undefined) throw new Error('The gateway has not been started');
    return this.#generation;
  }

  #enqueue<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(change);
    this.#queue = result.catch(() => {});
    return result;
  }
}
