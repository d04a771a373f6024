import { resolve } from 'node:path';
import type { DependencyContainer } from 'tsyringe';
import { stamp } from '../blame.js';
import { ConfigurationError, type Mistake } from '../config/mistakes.js';
import type { Settings } from '../config/schema.js';
import type { Logger } from '../log/logger.js';
import { BASE_DIRECTORY, LOGGER, OPTIONS, PLUGIN_ID } from '../tokens.js';
import { type Candidate, checkPlugins, type PluginSource } from './check.js';
import { LoadedPlugin } from './loaded-plugin.js';

/** Where the plugins of a generation come from. */
export interface LoadOptions extends PluginSource {
  readonly settings: Settings;
  /** Has the shared services; each plugin gets a child of it. */
  readonly container: DependencyContainer;
  readonly logger: Logger;
}

/**
 * Imports, checks and constructs the plugins of a generation, in declared order. Entries that are switched off are
 * checked too, and left out.
 *
 * @throws ConfigurationError with every mistake of every entry: a plugin that cannot be loaded, options that its schema or
 *   the plugin itself refuses, a broken order constraint
 */
export async function loadPlugins(options: LoadOptions): Promise<LoadedPlugin[]> {
  const { candidates, mistakes } = await checkPlugins(options);
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  const plugins: LoadedPlugin[] = [];
  const refusals: Mistake[] = [];
  for (const candidate of candidates.filter(({ entry }) => entry.enabled)) {
    try {
      plugins.push(construct(candidate, options));
    } catch (failure) {
      refusals.push(...refusalOf(failure, candidate, options));
    }
  }
  if (refusals.length > 0) throw new ConfigurationError(refusals);
  return plugins;
}

/**
 * What a plugin has against its options. A plain Error says that, too; an error of another kind is a mistake in the plugin.
 *
 * @throws whatever is a mistake in the plugin
 */
function refusalOf(failure: unknown, { position }: Candidate, { mistakes }: LoadOptions): readonly Mistake[] {
  if (failure instanceof ConfigurationError) return failure.mistakes;
  if (!(failure instanceof Error) || Object.getPrototypeOf(failure) !== Error.prototype) throw failure;
  const fault = {
    path: [],
    found: 'options that the plugin refuses',
    expected: 'others',
    hint: failure.message,
  };
  return mistakes(['plugins', position], [fault]);
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
