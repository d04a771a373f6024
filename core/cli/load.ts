import { type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import { UnsoundConfigurationError } from '../config/mistakes.js';
import { withPluginMistakes } from '../loader/check.js';
import type { CommandContext } from './program.js';

/**
 * Reads the configuration that a command is about.
 *
 * @throws ConfigurationError with every mistake, those of the plugins among them where the file has others too
 */
export async function load({
  file,
  catalogue,
}: Pick<CommandContext, 'file' | 'catalogue'>): Promise<LoadedConfiguration> {
  try {
    return await loadConfiguration({
      ...(file === undefined ? {} : { file }),
      cwd: process.cwd(),
      env: process.env,
      catalogueNames: Object.keys(catalogue),
    });
  } catch (error) {
    throw error instanceof UnsoundConfigurationError ? await withPluginMistakes(error, catalogue) : error;
  }
}
