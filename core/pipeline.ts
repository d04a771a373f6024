import { exonerate, stamp } from './blame.js';
import type { Exchange, GatewayRequest } from './exchange.js';
import type { LoadedPlugin, PluginOverrides } from './loader/loaded-plugin.js';
import { compose, type Layer, type Onion } from './onion.js';
import type { AttemptUpgrade, AttemptWrapper, GatewayContext, Route, UpgradeHandler } from './plugin.js';
import type { Forward, ProxyStage } from './proxy/stage.js';

/** Makes the head of the upstream's response that of the client's. */
export type ReceiveHead = (exchange: Exchange) => void;

/** Learns of a request that is over. */
export type FinishedListener = (request: GatewayRequest) => void;

/** A route with everything that its requests pass, built once. */
export interface CompiledRoute {
  readonly route: Route;
  /** Runs the onion: the plugins in declared order, the proxy stage in the middle. */
  readonly handle: Onion<GatewayContext>;
  /** The proxy stage alone, where no plugin has middleware on the route: no context needs to be made for it. */
  readonly forward: Forward | undefined;
  /** Takes upgrades over after the onion has let them pass; undefined where no plugin offers to. */
  readonly upgrade: UpgradeHandler | undefined;
  /** What that one connects to the upstream with. */
  readonly attemptUpgrade: AttemptUpgrade;
  /** Learn of each request of the route when it is over. */
  readonly finished: readonly FinishedListener[];
}

/** Builds the onion of a route: from the ordered plugins, and around the proxy stage. */
export function compileRoute(
  declaration: Omit<Route, 'plugins'>,
  plugins: readonly LoadedPlugin[],
  overrides: readonly PluginOverrides[],
  stage: ProxyStage,
  receive: ReceiveHead,
): CompiledRoute {
  const active = plugins
    .map((plugin) => ({ plugin, options: plugin.optionsFor(overrides) }))
    .filter(({ options }) => options !== undefined);
  const route: Route = { ...declaration, plugins: active.map(({ plugin }) => plugin.ref) };
  const layers: Layer<GatewayContext>[] = [];
  const wrappers: AttemptWrapper[] = [];
  const finished: FinishedListener[] = [];
  let upgrade: UpgradeHandler | undefined;
  for (const { plugin, options } of active) {
    const { id, instance } = plugin;
    const middleware = plugin.guard('middleware', () => instance.middleware?.(route, options));
    if (middleware) layers.push({ id, middleware });
    const wrapper = plugin.guard('attempt', () => instance.attempt?.(route, options));
    if (wrapper) wrappers.push(blameAttempt(id, wrapper));
    upgrade ??= plugin.guard('upgrade', () => instance.upgrade?.(route, options));
    const listener = finishedListener(plugin);
    if (listener) finished.push(listener);
  }
  const forward = stage.forRoute(route, wrappers);
  const handle = compose(layers, centre(forward, receive));
  return {
    route,
    handle,
    forward: layers.length === 0 ? forward : undefined,
    upgrade,
    attemptUpgrade: stage.forUpgrades(wrappers),
    finished,
  };
}

/** The middle of the onion. An upgrade stops here: the plugin that takes it over connects to the upstream itself. */
function centre(forward: Forward, receive: ReceiveHead): Onion<GatewayContext> {
  return async ({ gateway }) => {
    if (gateway.kind === 'upgrade') return;
    await forward(gateway);
    receive(gateway);
  };
}

/** A plugin's `finished` member, bound; undefined where it has none. */
export function finishedListener(plugin: LoadedPlugin): FinishedListener | undefined {
  const { id, instance } = plugin;
  if (instance.finished === undefined) return undefined;
  return (request) => {
    try {
      instance.finished?.(request);
    } catch (failure) {
      stamp(failure, { plugin: id, member: 'finished' });
      throw failure;
    }
  };
}

function blameAttempt(id: string, wrapper: AttemptWrapper): AttemptWrapper {
  const blame = { plugin: id, member: 'attempt' };
  return async (attempt, next) => {
    try {
      return await wrapper(attempt, () => next().catch(passOn));
    } catch (failure) {
      stamp(failure, blame);
      throw failure;
    }
  };
}

function passOn(failure: unknown): never {
  exonerate(failure);
  throw failure;
}
