import type { Fault } from './mistakes.js';
import type { FlatSettings } from './requirements-schema.js';

type FlatKey = keyof FlatSettings;

/** An entry of the plugin list that flat keys ask for. */
interface PlannedPlugin {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The flat key that switches it on; undefined for plugins that are always there. */
  readonly flag: FlatKey | undefined;
  /** The flat key behind each option. */
  readonly keys: Readonly<Record<string, FlatKey>>;
}

/** The plugin list for a flat configuration. */
export interface PluginPlan {
  readonly plugins: readonly PlannedPlugin[];
  readonly warnings: readonly string[];
  /** Paths are flat keys. */
  readonly faults: readonly Fault[];
}

interface Feature extends PlannedPlugin {
  readonly on: boolean;
  /** What does not happen while the plugin is not available. */
  readonly lack: string;
}

/**
 * The plugins that the flat keys stand for, in the order they run. Where a plugin is not available, a warning names
 * the key and what is off; authentication that is asked for and cannot be had is a fault.
 *
 * @param available names of the plugins that there are
 */
export function planPlugins(flat: FlatSettings, available: readonly string[]): PluginPlan {
  const features = featuresOf(flat).filter(({ on }) => on);
  const missing = features.filter(({ name }) => !available.includes(name));
  const faults: Fault[] = [];
  if (flat.enable_auth && !available.includes('auth-jwt') && !available.includes('auth-apikey')) {
    const expected = 'false, because neither the plugin auth-jwt nor auth-apikey is available';
    faults.push({ path: ['enable_auth'], found: 'true', expected });
  }
  if (flat.enable_auth && available.includes('auth-jwt') && flat.jwt_secret === undefined) {
    faults.push({
      path: ['jwt_secret'],
      found: 'nothing',
      expected: 'a secret, because enable_auth is true',
    });
  }
  return {
    plugins: features.filter(({ name }) => available.includes(name)),
    warnings: [
      ...missing.flatMap((feature) => warningOf(feature, flat, faults)),
      ...warningOfUsers(flat, available),
    ],
    faults,
  };
}

function warningOf(
  { name, flag, lack }: Feature,
  flat: FlatSettings,
  faults: readonly Fault[],
): readonly string[] {
  if (flag === undefined || faults.some(({ path }) => path[0] === flag)) return [];
  return [`${flag}: ${String(flat[flag])} has no effect: the plugin ${name} is not available, ${lack}`];
}

function warningOfUsers(flat: FlatSettings, available: readonly string[]): readonly string[] {
  if (!flat.enable_auth || flat.users_file !== undefined || !available.includes('auth-jwt')) return [];
  return [
    'enable_auth: true has no users without users_file: tokens are accepted, but nobody can log in for one',
  ];
}

function featuresOf(flat: FlatSettings): readonly Feature[] {
  const always = { on: true, options: {}, flag: undefined, keys: {}, lack: '' };
  return [
    { ...always, name: 'access-log' },
    { ...always, name: 'metrics' },
    {
      name: 'auth-jwt',
      on: flat.enable_auth,
      options: {
        ...(flat.jwt_secret === undefined ? {} : { secret: flat.jwt_secret }),
        algorithms: [flat.jwt_algorithm],
        ...(flat.users_file === undefined ? {} : { usersFile: flat.users_file }),
      },
      flag: 'enable_auth',
      keys: { secret: 'jwt_secret', algorithms: 'jwt_algorithm', usersFile: 'users_file' },
      lack: 'bearer tokens are not accepted',
    },
    {
      name: 'auth-apikey',
      on: flat.enable_auth,
      options: {},
      flag: 'enable_auth',
      keys: {},
      lack: 'API keys are not accepted',
    },
    {
      name: 'rate-limit-token-bucket',
      on: flat.enable_rate_limiting,
      options: { requests: flat.rate_limit_requests, window: flat.rate_limit_window },
      flag: 'enable_rate_limiting',
      keys: { requests: 'rate_limit_requests', window: 'rate_limit_window' },
      lack: 'requests are not limited',
    },
    {
      name: 'response-cache',
      on: flat.cache_ttl > 0,
      options: { ttl: flat.cache_ttl },
      flag: 'cache_ttl',
      keys: { ttl: 'cache_ttl' },
      lack: 'responses are not cached',
    },
    {
      name: 'circuit-breaker',
      on: flat.enable_circuit_breaker,
      options: {},
      flag: 'enable_circuit_breaker',
      keys: {},
      lack: 'failing services are not cut off',
    },
    { ...always, name: 'ws-proxy' },
  ];
}
