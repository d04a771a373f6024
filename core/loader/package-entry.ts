import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Conditions of an `exports` field that hold for an import in Node.js. */
const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'module-sync', 'default']);

/**
 * The file that an npm package is imported by.
 *
 * @param name of the package, or with a subpath: `@scope/name/plugin`
 * @param parents files from whose folders `node_modules` is looked for, the first one first
 * @throws Error naming the package, when it is not installed or exports nothing under that name
 */
export function packageEntry(name: string, parents: readonly string[]): string {
  for (const parent of parents) {
    const require = createRequire(parent);
    try {
      return require.resolve(name);
    } catch {
      // `require` refuses packages that are for `import` only.
      const entry = esmEntry(name, require.resolve.paths(name) ?? []);
      if (entry !== undefined) return entry;
    }
  }
  throw new Error(`there is no package '${name}' in reach of the configuration file that could be imported`);
}

function esmEntry(specifier: string, folders: readonly string[]): string | undefined {
  const segments = specifier.split('/');
  const name = segments.splice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  const subpath = ['.', ...segments].join('/');
  const folder = folders
    .map((each) => join(each, name))
    .find((each) => existsSync(join(each, 'package.json')));
  if (folder === undefined) return undefined;
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const exported = field(manifest, 'exports');
  const own = field(exported, subpath) ?? (subpath === '.' ? exported : undefined);
  const file = byCondition(own);
  return file === undefined ? undefined : join(folder, file);
}

/** The first file whose conditions hold, in the order of the package (the rule of Node.js). */
function byCondition(exported: unknown): string | undefined {
  if (typeof exported === 'string') return exported;
  if (typeof exported !== 'object' || exported === null) return undefined;
  for (const [condition, target] of Object.entries(exported)) {
    const file = Array.isArray(exported) || CONDITIONS.has(condition) ? byCondition(target) : undefined;
    if (file !== undefined) return file;
  }
  return undefined;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;
}
