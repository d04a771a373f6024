import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Loader } from 'cosmiconfig';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigurationError } from './mistakes.js';
import { isRecord } from './paths.js';

/**
 * Reads YAML, and JSON, which is YAML as far as it matters here: so that both get line and column.
 *
 * @param file its name, for messages
 * @throws ConfigurationError with every syntax error and duplicate key
 */
export function readYaml(file: string, text: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    logLevel: 'error',
  });
  if (document.errors.length > 0) {
    throw new ConfigurationError(
      document.errors.map(({ pos: [offset], code, message }) => {
        const { line, col } = lines.linePos(offset);
        const found =
          code === 'DUPLICATE_KEY'
            ? 'a key that stands there twice'
            : `a syntax error (${withoutSource(message)})`;
        const expected = code === 'DUPLICATE_KEY' ? 'each key once' : 'YAML or JSON';
        return { file: `${file}:${line}:${col}`, path: '', found, expected };
      }),
    );
  }
  try {
    return document.toJS() ?? {};
  } catch (error) {
    // Aliases that multiply without end are only found out when they are followed.
    throw unreadable(file, error instanceof Error ? withoutSource(error.message) : error);
  }
}

/** cosmiconfig's loaders: its own would need TypeScript's JavaScript API, and would keep modules across reloads. */
export function createLoaders(nameOf: (file: string) => string): Record<string, Loader> {
  const data: Loader = (file, text) => readYaml(nameOf(file), text);
  const json: Loader = (file, text) => readJson(nameOf(file), text);
  const script: Loader = async (file) => exported(nameOf(file), () => importFresh(file));
  const typescript: Loader = async (file) => exported(nameOf(file), () => importTypeScript(file));
  return {
    '.json': json,
    '.yaml': data,
    '.yml': data,
    '.js': script,
    '.cjs': script,
    '.mjs': script,
    '.ts': typescript,
    '.cts': typescript,
    '.mts': typescript,
    noExt: data,
    default: data,
  };
}

function readJson(file: string, text: string): unknown {
  // YAML finds duplicate keys and says where an error is; only JSON itself says whether it is JSON.
  const value = readYaml(file, text);
  try {
    JSON.parse(text);
  } catch {
    throw new ConfigurationError([
      { file, path: '', found: 'text that is YAML, not JSON', expected: 'JSON' },
    ]);
  }
  return value;
}

async function exported(file: string, load: () => Promise<unknown>): Promise<unknown> {
  try {
    let value = await load();
    // A CommonJS module that was compiled from an ES module carries its default export one level deeper.
    for (let depth = 0; depth < 2 && isModule(value) && 'default' in value; depth += 1) value = value.default;
    if (typeof value === 'function') value = await Reflect.apply(value, undefined, []);
    if (isRecord(value) && !isModule(value)) return value;
  } catch (error) {
    throw error instanceof ConfigurationError ? error : unreadable(file, error);
  }
  const found = 'no configuration as its default export';
  throw new ConfigurationError([
    { file, path: '', found, expected: 'an object, or a function that returns one' },
  ]);
}

function isModule(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Reflect.get(value, Symbol.toStringTag) === 'Module' || Reflect.get(value, '__esModule') === true;
}

/** Imports a module anew, so that a reload sees what was edited; modules that it imports itself stay as they are. */
async function importFresh(file: string): Promise<unknown> {
  delete createRequire(import.meta.url).cache[file];
  const url = pathToFileURL(file);
  url.searchParams.set('load', String(process.hrtime.bigint()));
  return import(url.href);
}

async function importTypeScript(file: string): Promise<unknown> {
  // Loaded on demand: it brings a compiler along.
  const { tsImport } = await import('tsx/esm/api');
  return tsImport(pathToFileURL(file).href, import.meta.url);
}

/** A failure of the file's own code, or of reading it, as a mistake: with its message, and without its stack. */
export function unreadable(file: string, error: unknown): ConfigurationError {
  const message = headline(error instanceof Error ? error.message : String(error));
  const found = isMissing(error, file) ? 'no such file' : `an error (${message})`;
  return new ConfigurationError([{ file, path: '', found, expected: 'a configuration that can be read' }]);
}

/** A YAML parser's message without the piece of the file that it quotes: it may be a secret. */
function withoutSource(message: string): string {
  return message.replace(/: .*$/s, '');
}

/** The first line of a message, and the next one where the first only announces it. */
function headline(message: string): string {
  const [first = '', second = ''] = message.split('\n');
  return first.endsWith(':') ? `${first} ${second.trim()}` : first;
}

/** Whether it is the configuration itself that does not exist, and not a file that it refers to. */
function isMissing(error: unknown, file: string): boolean {
  if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'ENOENT') return false;
  const missing: unknown = Reflect.get(error, 'path');
  return typeof missing === 'string' && missing.endsWith(file);
}
