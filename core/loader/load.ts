import { resolve } from 'node:path';
import type { DependencyContainer } from 'tsyringe';
import { stamp } from '../blame.js';
import { ConfigurationError, type Fault, type Mistake } from '../config/mistakes.js';
import type { Path } from '../config/paths.js';
import type { PluginEntry } from '../config/plugin-schema.js';
import type { Settings } from '../config/schema.js';
import { compileOptions } from '../config/validator.js';
import type { Logger } from '../log/logger.js';
import type { PluginCatalogue, PluginDefinition } from '../plugin.js';
import { BASE_DIRECTORY, LOGGER, OPTIONS, PLUGIN_ID } from '../tokens.js';
import { LoadedPlugin } from './loaded-plugin.js';
import { orderViolations } from './order.js';
import { importPlugin } from './resolve.js';

/** Where the plugins of a generation come from. */
export interface LoadOptions {
  readonly settings: Settings;
  /** Turns faults below a place in the settings into mistakes at the place that the user wrote. */
  readonly mistakes: (base: Path, faults: readonly Fault[]) => Mistake[];
  readonly baseDirectory: string;
  readonly catalogue: PluginCatalogue;
  /** Has the shared services; each plugin gets a child of it. */
  readonly container: DependencyContainer;
  readonly logger: Logger;
}

interface Candidate {
  readonly entry: PluginEntry;
  readonly definition: PluginDefinition;
  readonly validate: ReturnType<typeof compileOptions>;
  readonly options: unknown;
}

/**
 * Imports, checks and constructs the plugins of a generation, in declared order. Entries that are switched off are
 * checked too, and left out.
 *
 * @throws ConfigurationError with every mistake of every entry: a plugin that cannot be loaded, invalid options, a
 *   broken order constraint
 */
export async function loadPlugins(options: LoadOptions): Promise<LoadedPlugin[]> {
  const { plugins: entries } = options.settings;
  const mistakes: Mistake[] = [];
  const candidates: Candidate[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      const definition = await importPlugin(entry.use, options.baseDirectory, options.catalogue);
      const validate = compileOptions(definition.options);
      const { value, mistakes: faults } = validate(entry.options);
      mistakes.push(...options.mistakes(['plugins', index, 'options'], faults));
      for (const { options: own, path } of overridesOf(entry, options.settings)) {
        mistakes.push(...options.mistakes(path, validate(own).mistakes));
      }
      candidates.push({ entry, definition, validate, options: value });
    } catch (failure) {
      mistakes.push(...options.mistakes(['plugins', index], [unloadable(entry, failure)]));
    }
  }
  const enabled = candidates.filter(({ entry }) => entry.enabled);
  for (const { index, message } of orderViolations(enabled.map(toOrdered))) {
    const entry = enabled[index]?.entry;
    const position = entry === undefined ? index : entries.indexOf(entry);
    const fault = { path: [], found: 'the plugins in this order', expected: message };
    mistakes.push(...options.mistakes(['plugins', position], [fault]));
  }
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  return enabled.map((candidate) => construct(candidate, options));
}

function construct(candidate: Candidate, options: LoadOptions): LoadedPlugin {
  const { container, logger, baseDirectory, mistakes: report } = options;
  const { entry, definition, validate } = candidate;
  const child = container.createChildContainer();
  child.register(OPTIONS, { useValue: candidate.options });
  child.register(PLUGIN_ID, { useValue: entry.id });
  child.register(BASE_DIRECTORY, { useValue: resolve(baseDirectory) });
  child.register(LOGGER, { useValue: logger.child({ plugin: entry.id }) });
  try {
    return new LoadedPlugin({
      entry,
      definition,
      instance: child.resolve(definition.plugin),
      container: child,
      options: candidate.options,
      validate(value, path) {
        const { value: checked, mistakes } = validate(value);
        if (mistakes.length > 0) throw new ConfigurationError(report([...path, entry.id], mistakes));
        return checked;
      },
    });
  } catch (failure) {
    stamp(failure, { plugin: entry.id, member: 'constructor' });
    throw failure;
  }
}

/** The options of an entry as services and routes override them, each with the place where that is written. */
function overridesOf({ id, options }: PluginEntry, { services, routes }: Settings) {
  const places = [
    ...Object.entries(services).map(([name, { plugins }]) => ({
      plugins,
      path: ['services', name, 'plugins', id],
    })),
    ...routes.map(({ plugins }, index) => ({ plugins, path: ['routes', index, 'plugins', id] })),
  ];
  return places.flatMap(({ plugins, path }) => {
    const override = Object.hasOwn(plugins, id) ? plugins[id] : undefined;
    return typeof override === 'object' ? [{ options: { ...options, ...override }, path }] : [];
  });
}

function unloadable(entry: PluginEntry, failure: unknown): Fault {
  const reason = failure instanceof Error ? failure.message.split('\n')[0] : String(failure);
  return {
    path: [],
    found: `'${entry.use}', which cannot be loaded: ${reason}`,
    expected: 'a built-in plugin, an npm package, or a path relative to the configuration file',
  };
}

function toOrdered({ entry, definition }: Candidate) {
  return { id: entry.id, name: definition.name, order: definition.order };
}
