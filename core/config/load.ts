import path from 'node:path';
import { cosmiconfig } from 'cosmiconfig';
import { createLoaders, unreadable } from './loaders.js';
import { ConfigurationError } from './mistakes.js';
import { type ParsedSettings, parseSettings } from './parse.js';

export { parseSettings } from './parse.js';

/** Where to look for a configuration. */
export interface LoadRequest {
  /** A file to read instead of searching; relative to `cwd`. */
  readonly file?: string;
  /** The folder that is searched. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The plugins that ship with the gateway. */
  readonly catalogueNames: readonly string[];
}

/** A configuration with what it was read from. */
export interface LoadedConfiguration extends ParsedSettings {
  /** Absolute; undefined when none was found. */
  readonly file: string | undefined;
  /** The folder that relative paths in the configuration start from: the file's, or `cwd`. */
  readonly baseDirectory: string;
  /** No configuration was found: the requirements' defaults apply, with the environment. */
  readonly usesDefaults: boolean;
}

const EXTENSIONS = ['json', 'yaml', 'yml', 'js', 'cjs', 'mjs', 'ts'] as const;

/** The names that a configuration may have, in the order they are looked for. */
export const SEARCH_PLACES: readonly string[] = [
  '.gatewayrc',
  ...EXTENSIONS.map((extension) => `.gatewayrc.${extension}`),
  ...['js', 'cjs', 'mjs', 'ts'].map((extension) => `gateway.config.${extension}`),
  'package.json',
];

/**
 * Reads and checks the configuration: the file that is named, or the first of the search places in `cwd`.
 *
 * @throws UnsoundConfigurationError with all mistakes of the file but those of the plugins; ConfigurationError saying that it
 *   cannot be read
 */
export async function loadConfiguration(request: LoadRequest): Promise<LoadedConfiguration> {
  const { cwd, env, catalogueNames } = request;
  const nameOf = (file: string) => {
    const relative = path.relative(cwd, file);
    return relative.startsWith('..') ? file : relative;
  };
  const found = await read(request, nameOf);
  const baseDirectory = found === undefined ? path.resolve(cwd) : path.dirname(found.file);
  const source = found === undefined ? 'the defaults' : nameOf(found.file);
  const parsed = parseSettings(found?.raw, { source, baseDirectory, env, catalogueNames });
  return { ...parsed, file: found?.file, baseDirectory, usesDefaults: found === undefined };
}

async function read(
  { file, cwd }: LoadRequest,
  nameOf: (file: string) => string,
): Promise<{ raw: unknown; file: string } | undefined> {
  const explorer = cosmiconfig('gateway', {
    searchPlaces: [...SEARCH_PLACES],
    loaders: createLoaders(nameOf),
    // An empty file is a configuration without settings, not a reason to look for another one.
    ignoreEmptySearchPlaces: false,
    cache: false,
  });
  const explicit = file === undefined ? undefined : path.resolve(cwd, file);
  try {
    const result = explicit === undefined ? await explorer.search(cwd) : await explorer.load(explicit);
    if (result === null || result === undefined) {
      if (explicit === undefined) return undefined;
      const mistake = {
        file: nameOf(explicit),
        path: 'gateway',
        found: 'nothing',
        expected: 'the configuration',
      };
      throw new ConfigurationError([mistake]);
    }
    const raw: unknown = result.isEmpty === true ? {} : result.config;
    return { raw, file: result.filepath };
  } catch (error) {
    throw error instanceof ConfigurationError ? error : unreadable(nameOf(explicit ?? cwd) || '.', error);
  }
}
