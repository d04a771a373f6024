import { didYouMean, type Fault } from './mistakes.js';
import { formatPath, isRecord, type Path, recordOf } from './paths.js';

/** The plugins that an override may name. */
export interface KnownPlugins {
  /** Ids of the entries in the list. */
  readonly listed: readonly string[];
  readonly catalogue: readonly string[];
}

/** The plugins that a configuration can refer to. */
export function knownPlugins(settings: unknown, catalogue: readonly string[]): KnownPlugins {
  return { listed: listedIds(settings), catalogue };
}

/** Overrides of one service or route that name no plugin at all; for the rest see {@link idleOverrides}. */
export function checkOverrides(overrides: unknown, path: Path, { listed, catalogue }: KnownPlugins): Fault[] {
  return Object.keys(recordOf(overrides))
    .filter((id) => !listed.includes(id) && !catalogue.includes(id))
    .map((id) => ({
      path: [...path, id],
      found: 'an override of a plugin that is not in the list',
      expected:
        listed.length === 0
          ? 'a plugin in the list, which is empty'
          : `an id of the list: ${listed.join(', ')}`,
      ...didYouMean(id, [...listed, ...catalogue]),
    }));
}

/** A warning for each override that would run a plugin of the catalogue which the list does not have. */
export function idleOverrides(settings: unknown): string[] {
  const listed = listedIds(settings);
  const { services, routes } = recordOf(settings);
  const owners: [Path, unknown][] = [
    ...Object.entries(recordOf(services)).map(([name, service]): [Path, unknown] => [
      ['services', name],
      service,
    ]),
    ...(Array.isArray(routes) ? routes : []).map((route, position): [Path, unknown] => [
      ['routes', position],
      route,
    ]),
  ];
  return owners.flatMap(([path, owner]) =>
    Object.entries(recordOf(recordOf(owner).plugins))
      .filter(([id, override]) => override !== false && !listed.includes(id))
      .map(([id]) => {
        const where = formatPath([...path, 'plugins', id]);
        return `${where} has no effect: ${id} is not in the list of plugins, which says where it runs`;
      }),
  );
}

function listedIds(settings: unknown): string[] {
  const { plugins } = recordOf(settings);
  return (Array.isArray(plugins) ? plugins : [])
    .map((entry: unknown) => (isRecord(entry) ? entry.id : undefined))
    .filter((id) => typeof id === 'string');
}
