import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describeValue, didYouMean, type Fault } from './mistakes.js';
import type { Path } from './paths.js';
import { isPluginPath } from './plugin-entries.js';

/**
 * Looks whether `use` can name a plugin: one of the catalogue, a path, or a package. A scoped name or one with a
 * slash is left for the loader; a plain word that is neither in the catalogue nor installed is a misspelt name.
 */
export function findUnknownPlugin(
  use: unknown,
  at: Path,
  context: { readonly catalogueNames: readonly string[]; readonly baseDirectory: string },
): Fault[] {
  if (typeof use !== 'string' || use === '') return [];
  const { catalogueNames, baseDirectory } = context;
  if (catalogueNames.includes(use) || isPluginPath(use) || use.includes('/')) return [];
  if (isInstalled(use, baseDirectory)) return [];
  const known = catalogueNames.length === 0 ? '' : ` (${catalogueNames.join(', ')})`;
  const expected = `a built-in plugin${known}, an installed package, or a path that starts with './'`;
  return [{ path: at, found: describeValue(use, false), expected, ...didYouMean(use, catalogueNames) }];
}

/** Whether a package stands in a node_modules folder of the configuration or of the gateway. */
function isInstalled(name: string, baseDirectory: string): boolean {
  const parents = [path.resolve(baseDirectory, 'gateway.config.js'), import.meta.url];
  // Looked up as a folder: to resolve it would fail for packages that export no main entry to `require`.
  const folders = parents.flatMap((parent) => createRequire(parent).resolve.paths(name) ?? []);
  return folders.some((folder) => existsSync(path.join(folder, name)));
}
