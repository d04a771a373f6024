import { Interpolated, textOf } from './interpolation.js';
import { describeValue, type Fault } from './mistakes.js';
import type { Origins } from './origins.js';
import { isRecord, type Path } from './paths.js';
import { PLUGIN_ID_PATTERN } from './plugin-schema.js';

const ENTRY_FORM =
  "a plugin's name, `name: {options}`, `name: true`, `name: false`, or `{ use, id, enabled, options }`";
const PLUGIN_ID = new RegExp(PLUGIN_ID_PATTERN);
const ENTRY_KEYS: ReadonlySet<string> = new Set(['use', 'id', 'enabled', 'options']);

/**
 * Writes out the entries of the `plugins` list: `cors`, `auth-jwt: {…}`, `auth-jwt: false` and
 * `{ use, id, enabled, options }`.
 */
export function normalizePlugins(entries: readonly unknown[], origins: Origins, faults: Fault[]): unknown[] {
  return entries.map((entry, position) => {
    const path: Path = ['plugins', position];
    const complete = normalizeEntry(entry, path, origins, faults);
    if (!isRecord(complete)) return complete;
    const use = textOf(complete.use);
    if (complete.id === undefined && use !== undefined) {
      const id = defaultPluginId(use);
      complete.id = id;
      origins.recordAs([...path, 'id'], [...path, 'use']);
      if (!PLUGIN_ID.test(id) && isPluginPath(use)) {
        const expected = `{ use: ${use}, id: … } with an id of lower-case letters, digits, dots, dashes and underscores`;
        faults.push({ path: [...path, 'id'], found: `${JSON.stringify(id)} as the id`, expected });
      }
    }
    return complete;
  });
}

/**
 * The id of an entry that names none: the plugin's own name where `use` is one, otherwise the file's or the
 * folder's name without extension, or the package's name without scope.
 */
function defaultPluginId(use: string): string {
  const segments = use
    .replace(/^file:\/\//, '')
    .split(/[\\/]/)
    .filter((segment) => segment !== '');
  const last = segments.at(-1) ?? use;
  if (!isPluginPath(use)) return last;
  const name = last.replace(/(?:\.d)?\.[cm]?[jt]s$/, '');
  const parent = segments.at(-2);
  return name === 'index' && parent !== undefined && !/^\.+$/.test(parent) ? parent : name;
}

/** Whether `use` is a path (relative, absolute or a `file:` URL) and not a name. */
export function isPluginPath(use: string): boolean {
  return /^(?:\.{1,2}[\\/]|[\\/]|file:|[A-Za-z]:[\\/])/.test(use);
}

function normalizeEntry(entry: unknown, path: Path, origins: Origins, faults: Fault[]): unknown {
  if (textOf(entry) !== undefined) {
    origins.recordAs([...path, 'use'], path);
    return { use: entry };
  }
  if (!isRecord(entry)) {
    return refused(path, describeValue(entry, false), faults);
  }
  if ('use' in entry) {
    return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null));
  }
  const keys = Object.keys(entry);
  const [name] = keys;
  if (keys.length !== 1 || name === undefined) {
    const found = keys.length === 0 ? 'an empty object' : `an object with the keys ${keys.join(', ')}`;
    const isFullForm = keys.every((key) => ENTRY_KEYS.has(key));
    const hint =
      isFullForm || name === undefined
        ? 'say which plugin with `use`'
        : `indent the options of ${name} further than its name`;
    return refused(path, found, faults, hint);
  }
  const written: Path = [...path, name];
  origins.recordAs([...path, 'use'], written);
  origins.recordAs([...path, 'options'], written);
  const value = entry[name];
  const enabled = value instanceof Interpolated ? value.toBoolean() : value;
  if (isRecord(value)) return { use: name, options: value };
  if (enabled === null || enabled === true) return { use: name };
  if (enabled === false) return { use: name, enabled: false };
  faults.push({
    path: [...path, 'options'],
    found: describeValue(value, typeof value === 'string'),
    expected: 'the options of the plugin, true or false',
  });
  return { use: name };
}

/** Reports an entry without a plugin in it; the place holder keeps validation from reporting it again. */
function refused(path: Path, found: string, faults: Fault[], hint?: string): undefined {
  faults.push({ path, found, expected: ENTRY_FORM, ...(hint === undefined ? {} : { hint }) });
  return undefined;
}
