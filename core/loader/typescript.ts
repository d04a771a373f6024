import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { register } from 'tsx/esm/api';

// The module loader belongs to the process, and so does the fact that it has been taught TypeScript.
let registered = false;

/**
 * Imports a TypeScript module as it stands, decorators included. Node.js can only strip types by itself, and the
 * plugins' `@inject` is more than a type.
 *
 * @param file absolute path
 */
export function importTypeScript(file: string): Promise<unknown> {
  if (!registered) {
    // Not unregistered again: a plugin may import more of its files later.
    register({ tsconfig: nearestTsconfig(dirname(file)) });
    registered = true;
  }
  return import(pathToFileURL(file).href);
}

/** The `tsconfig.json` that governs a folder; the gateway's own, which allows decorators, where there is none. */
function nearestTsconfig(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'tsconfig.json');
    if (existsSync(candidate)) return candidate;
    if (at === dirname(at)) break;
  }
  const besideCore = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));
  return existsSync(besideCore)
    ? besideCore
    : fileURLToPath(new URL('../../../tsconfig.json', import.meta.url));
}
