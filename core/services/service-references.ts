import { ConfigurationError, didYouMean, type Mistake, quote } from '../config/mistakes.js';
import type { Logger } from '../log/logger.js';
import type { Route } from '../plugin.js';
import type { ServiceRegistry } from './registry.js';

/** Where a plugin's options name a service. */
export interface ServiceReference {
  /** In the options: `to[1].service`. */
  readonly path: string;
  /** The name of the service. */
  readonly service: string;
}

/** What {@link ServiceReferences} are made of. */
export interface ServiceReferencesInit {
  readonly services: ServiceRegistry;
  /** The plugin instance, for messages. */
  readonly pluginId: string;
  readonly logger: Logger;
}

/** More names than this help nobody who looks for a typing mistake. */
const MOST_NAMES = 20;

/** Checks the services that the options of a plugin name, while its routes are built. */
export class ServiceReferences {
  readonly #init: ServiceReferencesInit;

  constructor(init: ServiceReferencesInit) {
    this.#init = init;
  }

  /**
   * What a service that was registered at run time names is only warned of: it comes back at a start, and the service that it
   * names may have been removed meanwhile.
   *
   * @param references what the options name on this route
   * @throws ConfigurationError with every name that is no service's
   */
  check(route: Route, references: readonly ServiceReference[]): void {
    const { services, pluginId, logger } = this.#init;
    const unknown = references.filter(
      ({ service }) => service !== route.service.name && !services.expects(service),
    );
    if (unknown.length === 0) return;
    if (route.service.origin === 'runtime' && services.expects(route.service.name)) {
      for (const { path, service } of unknown)
        logger.warn({ route: route.id, path }, `There is no service ${quote(service)}`);
      return;
    }
    const names = services.expectedNames();
    const expected =
      names.length > MOST_NAMES ? `one of the ${names.length} services` : `a service: ${names.join(', ')}`;
    throw new ConfigurationError(
      unknown.map(
        ({ path, service }): Mistake => ({
          file: `plugin ${pluginId}, route ${route.id}`,
          path,
          found: quote(service),
          expected,
          ...didYouMean(service, names),
        }),
      ),
    );
  }
}
