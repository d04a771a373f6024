import {
  ConfigurationError,
  type Draft,
  type Fault,
  type Mistake,
  type UnsoundConfigurationError,
} from '../config/mistakes.js';
import { isRecord, recordOf } from '../config/paths.js';
import type { PluginEntry } from '../config/plugin-schema.js';
import { compileOptions } from '../config/validator.js';
import type { PluginCatalogue, PluginDefinition } from '../plugin.js';
import { orderViolations } from './order.js';
import { importPlugin } from './resolve.js';

/** Where the plugins of a configuration come from. */
export interface PluginSource extends Draft {
  readonly catalogue: PluginCatalogue;
}

/** An entry of the list with the plugin that it stands for. */
export interface Candidate {
  readonly entry: PluginEntry;
  /** Its place in the list. */
  readonly position: number;
  readonly definition: PluginDefinition;
  readonly validate: ReturnType<typeof compileOptions>;
  readonly options: unknown;
}

/** Imports and checks the plugins of a configuration, also those that are switched off, and reports every mistake. */
export async function checkPlugins(
  source: PluginSource,
): Promise<{ candidates: readonly Candidate[]; mistakes: readonly Mistake[] }> {
  const settings = recordOf(source.settings);
  const mistakes: Mistake[] = [];
  const candidates: Candidate[] = [];
  const entries = Array.isArray(settings.plugins) ? settings.plugins : [];
  for (const [position, entry] of entries.entries()) {
    if (!isEntry(entry)) continue;
    try {
      const definition = await importPlugin(entry.use, source.baseDirectory, source.catalogue);
      const validate = compileOptions(definition.options);
      const { value, mistakes: faults } = validate(entry.options);
      mistakes.push(...source.mistakes(['plugins', position, 'options'], faults));
      for (const { options: own, path } of overridesOf(entry, settings)) {
        mistakes.push(...source.mistakes(path, validate(own).mistakes));
      }
      candidates.push({ entry, position, definition, validate, options: value });
    } catch (failure) {
      mistakes.push(...source.mistakes(['plugins', position], [unloadable(entry, failure)]));
    }
  }
  const enabled = candidates.filter(({ entry }) => entry.enabled);
  for (const { index, message } of orderViolations(enabled.map(toOrdered))) {
    const fault = { path: [], found: 'the plugins in this order', expected: message };
    mistakes.push(...source.mistakes(['plugins', enabled[index]?.position ?? index], [fault]));
  }
  return { candidates, mistakes };
}

/** The mistakes of a configuration that was refused before its plugins were looked at, with those of its plugins. */
export async function withPluginMistakes(
  { mistakes, draft }: UnsoundConfigurationError,
  catalogue: PluginCatalogue,
): Promise<ConfigurationError> {
  const place = ({ file, path }: Mistake) => `${file}\n${path}`;
  const told = new Set(mistakes.map(place));
  const { mistakes: found } = await checkPlugins({ ...draft, catalogue });
  return new ConfigurationError([...mistakes, ...found.filter((mistake) => !told.has(place(mistake)))]);
}

function isEntry(entry: unknown): entry is PluginEntry {
  return (
    isRecord(entry) &&
    typeof entry.use === 'string' &&
    typeof entry.id === 'string' &&
    typeof entry.enabled === 'boolean' &&
    isRecord(entry.options)
  );
}

/** The options of an entry as services and routes override them, each with the place where that is written. */
function overridesOf({ id, options }: PluginEntry, { services, routes }: Record<string, unknown>) {
  const places = [
    ...Object.entries(recordOf(services)).map(([name, service]) => ({
      plugins: recordOf(recordOf(service).plugins),
      path: ['services', name, 'plugins', id],
    })),
    ...(Array.isArray(routes) ? routes : []).map((route, index) => ({
      plugins: recordOf(recordOf(route).plugins),
      path: ['routes', index, 'plugins', id],
    })),
  ];
  return places.flatMap(({ plugins, path }) => {
    const override = Object.hasOwn(plugins, id) ? plugins[id] : undefined;
    return isRecord(override) ? [{ options: { ...options, ...override }, path }] : [];
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
