import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Imports a TypeScript module as it stands, decorators included. Node.js can only strip types by itself, and the
 * plugins' `@inject` is more than a type. Read anew each time, so that a reload sees what was edited.
 *
 * @param file absolute path
 * @throws Error with the compiler's own words
 */
export async function importTypeScript(file: string): Promise<unknown> {
  // The compiler is only loaded where there is something to compile.
  const { tsImport } = await import('tsx/esm/api');
  treatAsModules();
  try {
    return await tsImport(pathToFileURL(file).href, {
      parentURL: import.meta.url,
      tsconfig: nearestTsconfig(dirname(file)),
    });
  } catch (failure) {
    throw compilerError(failure) ?? failure;
  }
}

/**
 * Without a package.json that says otherwise, a `.ts` file would be compiled to CommonJS, and the gateway's own modules would
 * be loaded for it a second time, as CommonJS: some of what they need cannot be.
 */
const HOOKS = `export async function resolve(specifier, context, next) {
  const resolved = await next(specifier, context);
  return new URL(resolved.url).pathname.endsWith('.ts') ? { ...resolved, format: 'module' } : resolved;
}`;

/** Hooks are the process's, and stay: they are registered once. */
let hooked = false;

function treatAsModules(): void {
  if (hooked) return;
  hooked = true;
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
}

/** The `tsconfig.json` that governs a folder; one that allows decorators, where there is none. */
function nearestTsconfig(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'tsconfig.json');
    if (existsSync(candidate)) return candidate;
    if (at === dirname(at)) break;
  }
  // From core/ in a checkout, and from dist/core/ once built.
  const inCheckout = fileURLToPath(new URL('../../config/plugin.tsconfig.json', import.meta.url));
  return existsSync(inCheckout)
    ? inCheckout
    : fileURLToPath(new URL('../../../config/plugin.tsconfig.json', import.meta.url));
}

/** The first line of a compiler's message is only that it failed; why stands in the second. */
function compilerError(failure: unknown): Error | undefined {
  if (!(failure instanceof Error) || !failure.message.startsWith('Transform failed')) return undefined;
  const [, reason] = failure.message.split('\n');
  return new Error(reason ?? failure.message, { cause: failure });
}
