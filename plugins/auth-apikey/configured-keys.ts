import { hash } from 'node:crypto';
import { ConfigurationError, type Mistake } from '../../core/index.js';
import type { Grant } from './api-key.js';
import { KeyIndex } from './key-index.js';
import { digestOf } from './key-text.js';
import { type ConfiguredKeyOptions, parseDateTime } from './schema.js';

/** The keys of a configuration. */
export interface ConfiguredKeys {
  readonly grants: ReadonlyMap<string, Grant>;
  readonly index: KeyIndex;
}

/**
 * Makes the keys of a configuration findable.
 *
 * @param pluginId names the place in messages
 * @throws ConfigurationError for what the schema cannot tell: neither or both of `hash` and `key`, a key or an id that
 *   stands there twice, a date that does not exist
 */
export function configuredKeys(keys: readonly ConfiguredKeyOptions[], pluginId: string): ConfiguredKeys {
  const mistakes: Mistake[] = [];
  const grants = new Map<string, Grant>();
  const index = new KeyIndex();
  for (const [position, entry] of keys.entries()) {
    const fault = (field: string, found: string, expected: string) =>
      mistakes.push({
        file: 'the configuration',
        path: `plugins.${pluginId}.keys[${position}]${field}`,
        found,
        expected,
      });
    const digest = digestFor(entry);
    if (digest === undefined) {
      const found = entry.key === undefined ? 'neither "hash" nor "key"' : 'both "hash" and "key"';
      fault('', found, 'one of "hash" and "key"');
    } else if (index.has(digest)) fault('', 'a key that stands there twice', 'each key only once');
    const expiresAt = entry.expires === undefined ? undefined : parseDateTime(entry.expires);
    if (entry.expires !== undefined && expiresAt === undefined) {
      fault('.expires', JSON.stringify(entry.expires), 'a date and time that exists');
    }
    const grant = grantOf(entry, expiresAt);
    if (grants.has(grant.id)) {
      fault('', `a second key with the id "${grant.id}"`, 'another "id", or another "name" for the consumer');
    }
    grants.set(grant.id, grant);
    if (digest !== undefined) index.add(digest, grant);
  }
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  return { grants, index };
}

function digestFor(entry: ConfiguredKeyOptions): string | undefined {
  if ((entry.hash === undefined) === (entry.key === undefined)) return undefined;
  return entry.key === undefined
    ? (entry.hash ?? '').slice('sha256:'.length).toLowerCase()
    : digestOf(entry.key);
}

function grantOf(entry: ConfiguredKeyOptions, expiresAt: number | undefined): Grant {
  const { consumer, name, services, methods, rateLimit } = entry;
  return {
    // Not of the key's hash: the id goes to upstreams and logs, and a key that a person chose could be guessed from it.
    id: entry.id ?? `cfg_${hash('sha256', `${consumer}\n${name}`).slice(0, 16)}`,
    consumer,
    name,
    ...(services === undefined ? {} : { services }),
    ...(methods === undefined ? {} : { methods }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
