import { describeValue, didYouMean, type Fault } from './mistakes.js';
import { checkOverrides, type KnownPlugins, knownPlugins } from './overrides.js';
import { checkPathPattern, shadowedPath } from './path-pattern.js';
import { isRecord, type Path, recordOf } from './paths.js';
import { findUnknownPlugin } from './plugin-lookup.js';
import { RESERVED_SERVICE_NAMES, SERVICE_NAME_PATTERN } from './schema.js';

/** What the rules need to know beside the settings. */
export interface RulesContext {
  readonly catalogueNames: readonly string[];
  /** Where relative paths and packages of plugins are looked for. */
  readonly baseDirectory: string;
}

/**
 * Checks what no schema can say: references, uniqueness, names that are taken, patterns. Works on settings that
 * failed validation too, so that all mistakes are reported in one go: parts of a wrong type are passed over.
 */
export function checkRules(settings: unknown, context: RulesContext): Fault[] {
  if (!isRecord(settings)) return [];
  const services = isRecord(settings.services) ? settings.services : {};
  const routes = Array.isArray(settings.routes) ? settings.routes.map(recordOf) : [];
  const entries = Array.isArray(settings.plugins) ? settings.plugins.map(recordOf) : [];
  const plugins = knownPlugins(settings, context.catalogueNames);
  const names = new Set(Object.keys(services));
  return [
    ...Object.entries(services).flatMap(([name, service]) => checkService(name, service, plugins)),
    ...duplicates(routes, 'routes'),
    ...routes.flatMap((route, position) => checkRoute(route, position, names, plugins)),
    ...duplicates(entries, 'plugins'),
    ...entries.flatMap((entry, position) =>
      findUnknownPlugin(entry.use, ['plugins', position, 'use'], context),
    ),
  ];
}

const SERVICE_NAME = new RegExp(SERVICE_NAME_PATTERN);

function checkService(name: string, raw: unknown, plugins: KnownPlugins): Fault[] {
  const path: Path = ['services', name];
  const faults: Fault[] = [];
  if (RESERVED_SERVICE_NAMES.includes(name)) {
    const expected = `another name: /api/v1/${name} belongs to the gateway itself`;
    faults.push({ path, found: `the service name "${name}"`, expected });
  } else if (!SERVICE_NAME.test(name)) {
    const expected =
      'a name of 1 to 64 lower-case letters, digits, dots, dashes and underscores, letter or digit first and last';
    faults.push({ path, found: `the service name ${JSON.stringify(name)}`, expected });
  }
  const service = recordOf(raw);
  const targets = Array.isArray(service.targets) ? service.targets.map(recordOf) : [];
  if (targets.length > 0 && targets.every((target) => target.weight === 0)) {
    const found = 'a weight of 0 for every target';
    faults.push({ path: [...path, 'targets'], found, expected: 'at least one target with a weight above 0' });
  }
  return [
    ...faults,
    ...checkLoadBalancing(recordOf(service.loadBalancing), [...path, 'loadBalancing']),
    ...checkUpstreamTls(recordOf(service.tls), [...path, 'tls']),
    ...checkOverrides(service.plugins, [...path, 'plugins'], plugins),
  ];
}

function checkLoadBalancing(loadBalancing: Record<string, unknown>, path: Path): Fault[] {
  const { algorithm, hashOn, hashKey } = loadBalancing;
  if (algorithm !== 'consistent-hash' || hashKey !== undefined) return [];
  if (hashOn !== 'header' && hashOn !== 'cookie') return [];
  return [{ path: [...path, 'hashKey'], found: 'nothing', expected: `the name of the ${hashOn} to hash` }];
}

function checkUpstreamTls(tls: Record<string, unknown>, path: Path): Fault[] {
  const { cert, key } = tls;
  if ((cert === undefined) === (key === undefined)) return [];
  const [missing, given] = cert === undefined ? ['cert', 'key'] : ['key', 'cert'];
  return [{ path: [...path, missing], found: 'nothing', expected: `a file, because ${given} is given` }];
}

function checkRoute(
  route: Record<string, unknown>,
  position: number,
  services: ReadonlySet<string>,
  plugins: KnownPlugins,
): Fault[] {
  const path: Path = ['routes', position];
  const faults: Fault[] = [];
  const { service } = route;
  if (typeof service === 'string' && !services.has(service)) {
    const expected = describeServices([...services]);
    faults.push({
      path: [...path, 'service'],
      found: describeValue(service, false),
      expected,
      ...didYouMean(service, services),
    });
  }
  const pattern = recordOf(route.match).path;
  const faultsOfPaths = typeof pattern === 'string' ? checkPaths(pattern, route.rewrite, path) : [];
  return [...faults, ...faultsOfPaths, ...checkOverrides(route.plugins, [...path, 'plugins'], plugins)];
}

function describeServices(names: readonly string[]): string {
  if (names.length === 0) return 'a service, and there is none';
  // A line that lists thousands helps nobody.
  return names.length > 20
    ? `one of the ${names.length} services`
    : `one of the services ${names.join(', ')}`;
}

function checkPaths(pattern: string, rewrite: unknown, path: Path): Fault[] {
  const at: Path = [...path, 'match', 'path'];
  const matched = checkPathPattern(pattern);
  if ('fault' in matched) return [{ path: at, ...matched.fault }];
  const own = shadowedPath(pattern);
  const faults: Fault[] = [];
  if (own !== undefined) {
    faults.push({
      path: at,
      found: JSON.stringify(pattern),
      expected: `another path: ${own} belongs to the gateway itself`,
    });
  }
  if (typeof rewrite !== 'string') return faults;
  const rewritten = checkPathPattern(rewrite);
  const to: Path = [...path, 'rewrite'];
  if ('fault' in rewritten) return [...faults, { path: to, ...rewritten.fault }];
  for (const name of rewritten.names.filter((used) => !matched.names.includes(used))) {
    const known = matched.names.map((other) => `:${other}`);
    const expected =
      known.length === 0
        ? `no names, as "${pattern}" has none`
        : `the names of "${pattern}": ${known.join(', ')}`;
    faults.push({ path: to, found: `":${name}"`, expected, ...didYouMean(`:${name}`, known) });
  }
  if (rewritten.wildcard && !matched.wildcard) {
    faults.push({ path: to, found: "'*'", expected: `no '*', as "${pattern}" does not end in one` });
  }
  return faults;
}

function duplicates(items: readonly Record<string, unknown>[], list: 'routes' | 'plugins'): Fault[] {
  const first = new Map<unknown, number>();
  return items.flatMap(({ id }, position) => {
    if (typeof id !== 'string') return [];
    const earlier = first.get(id);
    if (earlier === undefined) {
      first.set(id, position);
      return [];
    }
    const expected = `an id of its own: ${list}[${earlier}] has this one`;
    const hint =
      list === 'plugins' ? { hint: 'write { use: …, id: … } to have a plugin in the list twice' } : {};
    return [{ path: [list, position, 'id'], found: `the id "${id}" again`, expected, ...hint }];
  });
}
