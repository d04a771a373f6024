import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Type } from 'typebox';
import { ConfigurationError } from '../../../core/config/mistakes.js';
import { parseSettings } from '../../../core/config/parse.js';
import { createRootContainer } from '../../../core/container.js';
import type { GatewayPlugin, PluginCatalogue, PluginDefinition } from '../../../core/index.js';
import { loadPlugins } from '../../../core/loader/load.js';
import type { LoadedPlugin } from '../../../core/loader/loaded-plugin.js';
import { silentLogger } from '../../../core/log/logger.js';

/** A plugin that does nothing, unless `members` say otherwise. */
export function definition(
  name: string,
  rest: Partial<PluginDefinition> = {},
  members: GatewayPlugin = {},
): PluginDefinition {
  class Nothing implements GatewayPlugin {
    constructor() {
      Object.assign(this, members);
    }
  }
  return { name, summary: `${name} in a test.`, options: Type.Object({}), plugin: Nothing, ...rest };
}

export function catalogueOf(...definitions: PluginDefinition[]): PluginCatalogue {
  return Object.fromEntries(definitions.map((each) => [each.name, async () => ({ default: each })]));
}

/** Loads a plugin list as it stands in `.gatewayrc`. */
export function load(
  plugins: readonly unknown[],
  catalogue: PluginCatalogue = {},
  baseDirectory = '.',
  container = createRootContainer(),
): Promise<LoadedPlugin[]> {
  const context = { source: '.gatewayrc', baseDirectory, env: {}, catalogueNames: Object.keys(catalogue) };
  const { settings, mistakes } = parseSettings({ plugins }, context);
  return loadPlugins({
    settings,
    mistakes,
    baseDirectory,
    catalogue,
    container,
    logger: silentLogger,
  });
}

/** The lines of the ConfigurationError that loading ends in. */
export async function mistakesOf(loading: Promise<unknown>): Promise<string[]> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split('\n');
    throw error;
  }
  throw new Error('Expected mistakes, and there are none');
}

/**
 * A folder with these files, from which the packages of this checkout can be imported too.
 *
 * @returns its path, and what removes it
 */
export async function folder(
  files: Readonly<Record<string, string>>,
): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'loader-')));
  const installed = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  await mkdir(join(path, 'node_modules'));
  for (const name of ['tsyringe', 'typebox', 'reflect-metadata']) {
    await symlink(join(installed, name), join(path, 'node_modules', name));
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
