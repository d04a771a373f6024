import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isPluginPath } from '../config/plugin-entries.js';
import type { PluginCatalogue, PluginDefinition } from '../plugin.js';
import { packageEntry } from './package-entry.js';
import { importTypeScript } from './typescript.js';

/**
 * Finds and imports a plugin: a path relative to the configuration file, a name in the catalogue, or an npm package,
 * looked for from the configuration file, then beside the gateway.
 *
 * @param use as in the configuration
 * @param baseDirectory the folder of the configuration file
 * @throws Error saying what was looked for and where, or what the module lacks to be a plugin
 */
export async function importPlugin(
  use: string,
  baseDirectory: string,
  catalogue: PluginCatalogue,
): Promise<PluginDefinition> {
  const module = await importModule(use, baseDirectory, catalogue);
  const definition = defaultExport(module);
  if (!isDefinition(definition)) {
    throw new Error(
      'the module exports no plugin; it needs `export default definePlugin({ name, summary, options, plugin })`',
    );
  }
  return definition;
}

async function importModule(
  use: string,
  baseDirectory: string,
  catalogue: PluginCatalogue,
): Promise<unknown> {
  if (isPluginPath(use)) {
    const file = use.startsWith('file:') ? fileURLToPath(use) : resolve(baseDirectory, use);
    if (!existsSync(file)) throw new Error(`there is no file '${file}'`);
    return /\.[cm]?ts$/.test(file) ? importTypeScript(file) : import(pathToFileURL(file).href);
  }
  const builtIn = Object.hasOwn(catalogue, use) ? catalogue[use] : undefined;
  if (builtIn) return builtIn();
  const entry = packageEntry(use, [
    join(resolve(baseDirectory), 'package.json'),
    fileURLToPath(import.meta.url),
  ]);
  return import(pathToFileURL(entry).href);
}

/** A module compiled to CommonJS arrives with its default export one level down. */
function defaultExport(module: unknown): unknown {
  if (typeof module !== 'object' || module === null || !('default' in module)) return undefined;
  const exported = module.default;
  return typeof exported === 'object' && exported !== null && 'default' in exported
    ? exported.default
    : exported;
}

function isDefinition(value: unknown): value is PluginDefinition {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'options' in value &&
    typeof value.options === 'object' &&
    value.options !== null &&
    'plugin' in value &&
    typeof value.plugin === 'function'
  );
}
