import type { LoadedConfiguration } from './config/load.js';
import { ConfigurationError, type Fault } from './config/mistakes.js';

/** Settings that the listening sockets are made from, by path. */
const FIXED = [
  ['host'],
  ['port'],
  ['admin', 'host'],
  ['admin', 'port'],
  ['tls', 'http2'],
  ['limits', 'headers'],
  ['limits', 'headersTimeout'],
  ['limits', 'keepAlive'],
  ['limits', 'connections'],
  ['dataDirectory'],
] as const;

/**
 * Checks that a new configuration can take the place of the old one without a restart.
 *
 * @throws ConfigurationError naming each setting that cannot change
 */
export function checkReloadable(before: LoadedConfiguration, after: LoadedConfiguration): void {
  const faults: Fault[] = [];
  for (const path of FIXED) {
    const old = at(before.settings, path);
    const now = at(after.settings, path);
    if (old === now) continue;
    faults.push({
      path,
      found: describe(now),
      expected: `${describe(old)}, as at the start; a change needs a restart`,
    });
  }
  if ((before.settings.tls === undefined) !== (after.settings.tls === undefined)) {
    faults.push({
      path: ['tls'],
      found: 'a change',
      expected: 'TLS on or off as at the start; a change needs a restart',
    });
  }
  if (faults.length > 0) throw new ConfigurationError(after.mistakes([], faults));
}

function at(settings: object, path: readonly string[]): unknown {
  let value: unknown = settings;
  for (const key of path)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return value;
}

function describe(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
