import { Interpolated, textOf } from './interpolation.js';
import { describeValue, type Fault } from './mistakes.js';
import type { Origins } from './origins.js';
import { isRecord, type Path } from './paths.js';
import { normalizePlugins } from './plugin-entries.js';

/** The settings with all short forms written out, before validation. */
export interface NormalForm {
  readonly value: unknown;
  /** Short forms that cannot be written out; paths are those of the normal form. */
  readonly faults: readonly Fault[];
}

/**
 * Writes out the short forms of a configuration: services as URLs or with `host` and `port`, targets as URLs,
 * `health: false`, `retries: false`, single statuses, plugins as names. A key without a value counts as not given. What has no known
 * form is left as it is, for validation to report.
 *
 * @param origins learns where the parts of the result were written
 */
export function normalForm(raw: unknown, origins: Origins): NormalForm {
  if (!isRecord(raw)) return { value: raw, faults: [] };
  const faults: Fault[] = [];
  const { $schema: _, ...settings } = withoutNulls(raw);
  if (isRecord(settings.services)) settings.services = normalizeServices(settings.services, origins, faults);
  if (Array.isArray(settings.plugins)) settings.plugins = normalizePlugins(settings.plugins, origins, faults);
  if (Array.isArray(settings.routes)) settings.routes = settings.routes.map(normalizeRoute);
  for (const section of ['admin', 'limits', 'logging', 'shutdown', 'tls']) {
    const value = settings[section];
    if (isRecord(value)) settings[section] = withoutNulls(value);
  }
  return { value: settings, faults };
}

function normalizeServices(services: Record<string, unknown>, origins: Origins, faults: Fault[]): unknown {
  return Object.fromEntries(
    Object.entries(services).map(([name, service]) => [
      name,
      normalizeService(service, name, origins, faults),
    ]),
  );
}

const SERVICE_SECTIONS = [
  'timeout',
  'loadBalancing',
  'pool',
  'tls',
  'outlierEjection',
  'slowStart',
  'concurrency',
  'plugins',
];

function normalizeService(raw: unknown, name: string, origins: Origins, faults: Fault[]): unknown {
  const path: Path = ['services', name];
  if (textOf(raw) !== undefined) {
    origins.recordAs([...path, 'targets'], path);
    origins.recordAs([...path, 'targets', 0, 'url'], path);
    return { targets: [{ url: raw }] };
  }
  if (!isRecord(raw)) {
    const expected = "a URL like 'http://host:8080', { host, port }, or an object with targets";
    faults.push({ path, found: describeValue(raw, false), expected });
    return raw;
  }
  const service = withoutNulls(raw);
  const complete = 'targets' in service ? service : fromHostAndPort(service, path, origins, faults);
  if (Array.isArray(complete.targets)) {
    complete.targets = complete.targets.map((target: unknown, position) => {
      if (textOf(target) === undefined) return isRecord(target) ? withoutNulls(target) : target;
      origins.recordAs([...path, 'targets', position, 'url'], [...path, 'targets', position]);
      return { url: target };
    });
  }
  if ('health' in complete) complete.health = normalizeHealth(complete.health);
  if ('retries' in complete) complete.retries = normalizeRetries(complete.retries);
  for (const section of SERVICE_SECTIONS) {
    const value = complete[section];
    if (isRecord(value)) complete[section] = withoutNulls(value);
  }
  const { concurrency } = complete;
  if (isRecord(concurrency) && isRecord(concurrency.adaptive))
    complete.concurrency = { ...concurrency, adaptive: withoutNulls(concurrency.adaptive) };
  return complete;
}

/** A service in the form of the requirements: `{ host, port }`, with a `health_endpoint` at will. */
function fromHostAndPort(
  service: Record<string, unknown>,
  path: Path,
  origins: Origins,
  faults: Fault[],
): Record<string, unknown> {
  if (!('host' in service || 'port' in service)) return service;
  const { host, port, health_endpoint: endpoint, ...rest } = service;
  const target: Path = [...path, 'targets'];
  const name = host === undefined ? 'localhost' : textOf(host);
  if (name === undefined || !/^(?:[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)$/.test(name)) {
    faults.push({
      path: [...path, 'host'],
      found: describeValue(host, false),
      expected: 'a host name or an IP address',
    });
  }
  const number = port instanceof Interpolated ? port.toNumber() : port;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 65535) {
    const found = describeValue(port, false);
    faults.push({ path: [...path, 'port'], found, expected: 'an integer from 1 to 65535' });
  }
  const authority = name?.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
  // A place holder where host or port are wrong: that has been said, and the rest is still to be checked.
  const sound = typeof number === 'number' && URL.canParse(`http://${authority}:${number}`);
  const complete: Record<string, unknown> = {
    ...rest,
    targets: [{ url: sound ? `http://${authority}:${number}` : 'http://localhost' }],
  };
  origins.recordAs(target, path);
  origins.recordAs([...target, 0], path);
  if (endpoint !== undefined) {
    const health = isRecord(rest.health) ? rest.health : {};
    complete.health = { ...health, path: endpoint };
    origins.recordAs([...path, 'health', 'path'], [...path, 'health_endpoint']);
  }
  return complete;
}

function normalizeHealth(raw: unknown): unknown {
  if (typeof raw === 'boolean') return { enabled: raw };
  if (raw instanceof Interpolated && raw.toBoolean() !== undefined) return { enabled: raw.toBoolean() };
  if (!isRecord(raw)) return raw;
  const health = withoutNulls(raw);
  const { status } = health;
  if (Array.isArray(status)) health.status = status.map(statusText);
  else if (typeof status === 'number' || textOf(status) !== undefined) health.status = [statusText(status)];
  return health;
}

/** `retries: false` for a single attempt, `true` for the defaults. */
function normalizeRetries(raw: unknown): unknown {
  const on = raw instanceof Interpolated ? raw.toBoolean() : raw;
  if (typeof on === 'boolean') return on ? {} : { attempts: 1 };
  if (!isRecord(raw)) return raw;
  const retries = withoutNulls(raw);
  for (const section of ['backoff', 'budget']) {
    const value = retries[section];
    if (isRecord(value)) retries[section] = withoutNulls(value);
  }
  return retries;
}

function statusText(status: unknown): unknown {
  if (typeof status === 'number') return String(status);
  return typeof status === 'string' ? status.toLowerCase() : status;
}

function normalizeRoute(raw: unknown): unknown {
  if (!isRecord(raw)) return raw;
  const route = withoutNulls(raw);
  if (isRecord(route.match)) route.match = withoutNulls(route.match);
  if ('retries' in route) route.retries = normalizeRetries(route.retries);
  if (isRecord(route.plugins)) route.plugins = withoutNulls(route.plugins);
  return route;
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, child]) => child !== null));
}
