import { ConfigurationError, type Mistake } from '../config/mistakes.js';
import { parseSettings } from '../config/parse.js';
import type { ServiceSettings } from '../config/service-schema.js';
import type { Generation } from '../generation.js';
import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { RequestCounters } from '../request-counters.js';
import type { ServiceRegistry } from '../services/registry.js';
import { Service } from '../services/service.js';
import { Endpoints } from './endpoints.js';
import { AdminGuard } from './guard.js';
import { mountHealthRoutes } from './health-routes.js';
import { mountInspectionRoutes } from './inspection-routes.js';
import { mountOpenApiRoute } from './openapi.js';
import { mountServiceRoutes } from './service-routes.js';
import { mountStatsRoutes } from './stats-routes.js';
import { mountStatusRoutes } from './status-routes.js';

/** What the gateway's own routes report of and work on, beside the generation. */
export interface EndpointParts {
  readonly version: string;
  readonly registry: ServiceRegistry;
  readonly catalogueNames: readonly string[];
  /** The folder of the configuration file. */
  readonly baseDirectory: string;
  readonly counters: RequestCounters;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since the start. */
  readonly uptime: () => number;
  /** `running` or `draining`. */
  readonly state: () => string;
}

/** The gateway's own routes for one generation, and those of its plugins. */
export function createEndpoints(generation: Generation, parts: EndpointParts): Endpoints {
  const { version, registry, now, uptime, state } = parts;
  const { settings, plugins, router } = generation;
  const services = () => registry.list();
  return new Endpoints({
    plugins,
    guard: new AdminGuard(settings.admin.token),
    separateAdmin: settings.admin.port !== undefined,
    mountPublic(open) {
      mountHealthRoutes(open, {
        ready: () => state() === 'running',
        services: () => ({
          healthy: services().filter(({ healthy }) => healthy).length,
          total: services().length,
        }),
        now,
      });
    },
    mountAdmin(admin, open) {
      mountStatusRoutes(admin, {
        version,
        now,
        uptime,
        state,
        generation: () => generation.number,
        serviceCount: () => services().length,
        plugins,
      });
      mountStatsRoutes(admin, { counters: parts.counters, plugins, services });
      mountServiceRoutes(admin, {
        registry,
        parse: (name, declaration) => parseService(name, declaration, generation, parts),
      });
      mountInspectionRoutes(admin, { version, router, plugins });
      mountOpenApiRoute(admin, { version, admin, open });
    },
  });
}

/**
 * Checks one service as if it stood in a configuration with this generation's plugins. Variables mean nothing in it.
 *
 * @throws ConfigurationError with everything that is wrong
 */
function parseService(
  name: string,
  declaration: unknown,
  generation: Generation,
  { catalogueNames, baseDirectory }: EndpointParts,
): ServiceSettings {
  const { settings, plugins } = generation;
  // The ids stand for the plugins, which are loaded: where they came from is not to be looked up again.
  const ids = settings.plugins.map(({ id }) => id);
  const raw = { services: { [name]: declaration }, plugins: ids };
  const parsed = parseSettings(raw, {
    source: 'the request',
    baseDirectory,
    env: {},
    catalogueNames: [...catalogueNames, ...ids],
  });
  const service = parsed.settings.services[name];
  if (service === undefined) throw new Error(`The service ${name} got lost on its way through the parser`);
  const mistakes = plugins.flatMap((plugin) => overrideMistakes(plugin, name, service));
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  // Whatever a plugin has against its route is said now: once registered, the service must have one.
  generation.compileService(new Service({ name, origin: 'runtime', settings: service, targets: [] }));
  return service;
}

function overrideMistakes(
  plugin: LoadedPlugin,
  name: string,
  { plugins }: ServiceSettings,
): readonly Mistake[] {
  try {
    plugin.optionsFor([{ plugins, path: ['services', name, 'plugins'] }]);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
}
