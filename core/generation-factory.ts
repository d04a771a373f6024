import type { DependencyContainer } from 'tsyringe';
import { createEndpoints, type EndpointParts } from './admin/create-endpoints.js';
import type { Clock } from './clock.js';
import type { LoadedConfiguration } from './config/load.js';
import { ConfigurationError, SettingError } from './config/mistakes.js';
import { Generation } from './generation.js';
import { HookRunner } from './hooks.js';
import type { KeptState } from './kept-state.js';
import { loadPlugins } from './loader/load.js';
import type { Logger } from './log/logger.js';
import type { PluginCatalogue } from './plugin.js';
import type { RequestCounters } from './request-counters.js';
import { ServerCertificates } from './server/server-tls.js';
import { HeadReceiver } from './server/writer.js';
import type { PreparedServices, ServiceRegistry } from './services/registry.js';

/** What outlives generations, and each of them is built on. */
export interface GenerationFactoryParts {
  readonly catalogue: PluginCatalogue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly container: DependencyContainer;
  readonly registry: ServiceRegistry;
  readonly kept: KeptState;
  readonly counters: RequestCounters;
  /** What the gateway's own routes report of. */
  readonly endpoints: Omit<EndpointParts, 'baseDirectory' | 'registry' | 'counters' | 'catalogueNames'>;
}

/** A generation that was built, and is not in use yet; its services are to be committed or discarded. */
export interface Candidate {
  readonly generation: Generation;
  readonly prepared: PreparedServices;
}

/** Builds generations beside the one in use, without effect on it. */
export class GenerationFactory {
  readonly #parts: GenerationFactoryParts;
  readonly #heads: HeadReceiver;
  #built = 0;

  constructor(parts: GenerationFactoryParts) {
    this.#parts = parts;
    this.#heads = new HeadReceiver(parts.clock);
  }

  /**
   * Loads the plugins of a configuration, and builds its routes.
   *
   * @param start whether the plugins are started; not for a mere look at what would run
   * @throws ConfigurationError with every mistake; whatever a plugin throws. What had been started is stopped again.
   */
  async build(configuration: LoadedConfiguration, start: boolean): Promise<Candidate> {
    const { clock, logger, registry, kept, counters, catalogue, container } = this.#parts;
    const { settings, baseDirectory, mistakes, usesDefaults } = configuration;
    const number = ++this.#built;
    kept.begin(number);
    const prepared = located(mistakes, () => {
      // Read once more when the socket is opened: what is wrong with them is to be known before anything starts.
      if (settings.tls) new ServerCertificates(settings.tls, baseDirectory);
      return registry.prepare(settings.services, usesDefaults ? 'default' : 'configuration');
    });
    let hooks: HookRunner | undefined;
    try {
      const plugins = await loadPlugins({ settings, baseDirectory, mistakes, catalogue, container, logger });
      hooks = new HookRunner(plugins, clock, logger, settings.shutdown.hookTimeout);
      const catalogueNames = Object.keys(catalogue);
      const endpoints = { ...this.#parts.endpoints, registry, counters, catalogueNames, baseDirectory };
      const generation = new Generation({
        number,
        settings,
        plugins,
        services: prepared.services,
        clock,
        heads: this.#heads,
        hooks,
        counters,
        logger,
        endpoints: (made) => createEndpoints(made, endpoints),
      });
      if (start) await hooks.start();
      return { generation, prepared };
    } catch (error) {
      await hooks?.stop();
      registry.discard(prepared);
      throw error;
    }
  }

  /** Gives up a generation that was built, and will not be used. */
  async abandon({ generation, prepared }: Candidate): Promise<void> {
    await generation.hooks.stop();
    this.#parts.registry.discard(prepared);
  }
}

/** @throws ConfigurationError for a setting that turns out to be wrong when it is used */
function located<T>(mistakes: LoadedConfiguration['mistakes'], use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw error instanceof SettingError ? new ConfigurationError(mistakes([], [error.fault])) : error;
  }
}
