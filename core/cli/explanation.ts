import { masked } from '../admin/inspection-routes.js';
import { systemClock } from '../clock.js';
import { looksSecret } from '../config/mistakes.js';
import { GatewayError } from '../errors.js';
import { Exchange, type RequestFacts } from '../exchange.js';
import type { Generation } from '../generation.js';
import type { LoadedPlugin } from '../loader/loaded-plugin.js';
import type { Route } from '../plugin.js';
import { RequestHeadWriter } from '../proxy/request-head.js';
import type { RouteMatch } from '../routing/router.js';
import { findRoute } from '../server/dispatcher.js';
import { RequestReader } from '../server/request-reader.js';
import { type NearMiss, nearMisses } from './explain-misses.js';
import { arrivalOf, type DescribedRequest } from './explain-request.js';

/** What would become of a request. */
export interface Explanation {
  readonly request: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly scheme: string;
    readonly client: string;
    readonly peer_trusted: boolean;
    readonly upgrade: boolean;
  };
  readonly outcome: 'forwarded' | 'answered_by_the_gateway' | 'refused';
  /** Why it is refused before any plugin sees it. */
  readonly refusal?: { readonly status: number; readonly code: string; readonly message: string };
  readonly route?: {
    readonly id: string;
    readonly pattern: string;
    readonly methods: readonly string[] | null;
    readonly service: string;
    readonly params: Readonly<Record<string, string>>;
  };
  readonly near_misses: readonly NearMiss[];
  readonly plugins: readonly ExplainedPlugin[];
  readonly upstream?: ExplainedUpstream;
}

/** A plugin on the way of the request. */
interface ExplainedPlugin {
  readonly id: string;
  readonly name: string;
  /** Off where the service or the route switches it off. */
  readonly on: boolean;
  /** Where it takes part. */
  readonly takes_part: readonly string[];
  /** In effect, with secrets masked; null where it is off. */
  readonly options: unknown;
}

/** The upstream request, as it would be if no plugin changed it. */
interface ExplainedUpstream {
  readonly targets: readonly { readonly url: string; readonly weight: number }[];
  readonly balancing: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
}

/**
 * Says what would become of a request, without any of it happening: no plugin is run, and nothing is sent.
 *
 * @throws Error for a description that makes no sense
 */
export function explain(described: DescribedRequest, generation: Generation): Explanation {
  const { settings, router } = generation;
  const arrival = arrivalOf(described, settings);
  const reader = new RequestReader(systemClock);
  const services = router
    .list()
    .map(({ route }) => route.service)
    .filter((service, index, all) => all.indexOf(service) === index);
  let facts: RequestFacts | undefined;
  try {
    facts = reader.read(arrival, generation);
    if (generation.endpoints.owns(facts.path, false)) {
      return { ...begin(facts), outcome: 'answered_by_the_gateway', near_misses: [], plugins: [] };
    }
    const match = findRoute(facts, generation);
    const { route, upgrade } = match.compiled;
    if (facts.kind === 'upgrade' && upgrade === undefined)
      throw new GatewayError('NOT_IMPLEMENTED', { message: 'This route takes no protocol upgrades' });
    return {
      ...begin(facts),
      outcome: 'forwarded',
      route: {
        id: route.id,
        pattern: route.pattern,
        methods: route.methods ?? null,
        service: route.service.name,
        params: match.params,
      },
      near_misses: nearMisses(facts, settings, services, route.id),
      plugins: pluginsOn(route, generation),
      upstream: upstreamOf(facts, match, settings.via),
    };
  } catch (failure) {
    if (!(failure instanceof GatewayError)) throw failure;
    const { status, code, message } = failure;
    return {
      ...begin(facts ?? reader.readRefused(arrival, generation)),
      outcome: 'refused',
      refusal: { status, code, message },
      near_misses: facts === undefined ? [] : nearMisses(facts, settings, services, undefined),
      plugins: [],
    };
  }
}

function begin(facts: RequestFacts): Pick<Explanation, 'request'> {
  const { req, host, path, query, scheme, clientAddress, peer, kind } = facts;
  const request = { method: req.method ?? '', host, path, query, scheme };
  return {
    request: { ...request, client: clientAddress, peer_trusted: peer.trusted, upgrade: kind === 'upgrade' },
  };
}

function pluginsOn(route: Route, { plugins, settings }: Generation): ExplainedPlugin[] {
  const own = settings.routes.find(({ id, match }) => id === route.id && match.path === route.pattern);
  const overrides = [
    { plugins: route.service.settings.plugins, path: ['services', route.service.name, 'plugins'] },
    ...(own === undefined ? [] : [{ plugins: own.plugins, path: ['routes', own.id, 'plugins'] }]),
  ];
  return plugins.map((plugin) => {
    const options = plugin.optionsFor(overrides);
    return {
      id: plugin.id,
      name: plugin.definition.name,
      on: options !== undefined,
      takes_part: options === undefined ? [] : members(plugin, route, options),
      options: options === undefined ? null : masked(options, [plugin.definition.options]),
    };
  });
}

/** Where a plugin takes part on a route, in the order that a request gets there; it may have nothing to do. */
function members(plugin: LoadedPlugin, route: Route, options: unknown): string[] {
  const { instance } = plugin;
  const parts: [string, unknown][] = [
    ['middleware', plugin.guard('middleware', () => instance.middleware?.(route, options))],
    ['attempt', plugin.guard('attempt', () => instance.attempt?.(route, options))],
    ['upgrade', plugin.guard('upgrade', () => instance.upgrade?.(route, options))],
    ['finished', instance.finished],
  ];
  return parts.filter(([, part]) => part !== undefined).map(([name]) => name);
}

function upstreamOf(facts: RequestFacts, match: RouteMatch, via: string | undefined): ExplainedUpstream {
  const { route } = match.compiled;
  const exchange = new Exchange(facts, route, match.params, match.upstreamPath + facts.query);
  const raw = new RequestHeadWriter({ via }).write(exchange);
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    headers.push([name, isCredential(name) ? '***' : (raw[i + 1] ?? '')]);
  }
  const { service } = route;
  if (!service.settings.preserveHost) headers.unshift(['host', '(the target’s)']);
  return {
    targets: service.targets.map(({ url, weight }) => ({ url, weight })),
    balancing: service.settings.loadBalancing.algorithm,
    method: facts.req.method ?? '',
    path: exchange.upstreamPath,
    headers,
  };
}

function isCredential(name: string): boolean {
  return (
    /^(?:proxy-)?authorization$|^cookie$/i.test(name) ||
    (looksSecret(name) && !/^sec-websocket-key$/i.test(name))
  );
}
