import { didYouMean } from '../config/mistakes.js';
import type { RouteSettings, Settings } from '../config/schema.js';
import type { RequestFacts } from '../exchange.js';
import { hostMatches } from '../routing/hosts.js';
import { normalisePattern } from '../routing/path.js';
import { RouteTree } from '../routing/route-tree.js';
import type { Service } from '../services/service.js';

/** A route that did not get the request, although not much was missing. */
export interface NearMiss {
  readonly route: string;
  readonly pattern: string;
  readonly why: string;
}

/** Prefixes of the routes that every service has. */
const BUILT_IN = /^(\/api\/v1|\/ws)\/([^/]+)/;

/**
 * The routes that nearly match a request, or do and come after the one that does, with the reason for each.
 *
 * @param winner the id of the route that gets it; undefined for none
 */
export function nearMisses(
  facts: RequestFacts,
  settings: Settings,
  services: readonly Service[],
  winner: string | undefined,
): NearMiss[] {
  const misses: NearMiss[] = [];
  for (const route of settings.routes) {
    if (route.id === winner) continue;
    const why = whyNot(route, facts);
    if (why !== undefined) misses.push({ route: route.id, pattern: route.match.path, why });
  }
  const [, prefix = '', name] = BUILT_IN.exec(facts.path) ?? [];
  if (winner === undefined && name !== undefined && !services.some((service) => service.name === name)) {
    const names = services.map((service) => service.name);
    const { hint } = didYouMean(name, names);
    const known = names.length === 0 ? 'there is none' : `there are ${names.slice(0, 10).join(', ')}`;
    misses.push({
      route: '(built in)',
      pattern: `${prefix}/{service}/**`,
      why: `there is no service '${name}': ${hint ?? known}`,
    });
  }
  return misses;
}

function whyNot(route: RouteSettings, facts: RequestFacts): string | undefined {
  const { match } = route;
  if (!matches(match.path, facts.path)) return nearPath(match.path, facts.path);
  const { hosts, methods, headers = {} } = match;
  const method = facts.req.method ?? '';
  const reasons: string[] = [];
  if (methods !== undefined && !methods.includes(method) && !(method === 'HEAD' && methods.includes('GET')))
    reasons.push(`it takes ${methods.join(', ')}, not ${method}`);
  if (hosts !== undefined && !hosts.some((host) => hostMatches(host, facts.hostname)))
    reasons.push(`it is for the host ${hosts.join(' or ')}, not '${facts.hostname}'`);
  for (const [name, value] of Object.entries(headers)) {
    const given = facts.req.headers[name.toLowerCase()];
    if (given !== value)
      reasons.push(
        `it wants '${name}: ${value}', ${given === undefined ? 'which is missing' : 'not what is there'}`,
      );
  }
  if (reasons.length > 0) return reasons.join('; ');
  return 'it matches too, but the other is more specific, of higher priority, or stands before it';
}

/** Why a path misses a pattern that is much like it; undefined where it is not. */
function nearPath(pattern: string, path: string): string | undefined {
  if (path.endsWith('/') && matches(pattern, path.slice(0, -1))) return 'the path must not end in a slash';
  if (matches(pattern, `${path}/`)) return 'the path must end in a slash';
  if (matches(pattern.toLowerCase(), path.toLowerCase())) return 'the path differs in upper and lower case';
  const wanted = pattern.split('/');
  const given = path.split('/');
  const shared = wanted.findIndex((segment, index) => !fits(segment, given[index]));
  const wrong = wanted[shared];
  const found = given[shared];
  if (shared === -1 && given.length > wanted.length) return `the path goes on behind ${pattern}`;
  if (shared > 1 && found === undefined) return `the path ends before '${wanted.slice(shared).join('/')}'`;
  if (wrong === undefined || found === undefined) return undefined;
  const { hint } = didYouMean(found, [wrong]);
  const rest = [...given.slice(0, shared), wrong, ...given.slice(shared + 1)].join('/');
  return hint !== undefined && matches(pattern, rest)
    ? `'${found}' in the path is not '${wrong}'`
    : undefined;
}

function fits(segment: string, given: string | undefined): boolean {
  return (
    given !== undefined && (segment === '*' || segment === given || (segment.startsWith(':') && given !== ''))
  );
}

function matches(pattern: string, path: string): boolean {
  const tree = new RouteTree([{ pattern: normalisePattern(pattern), priority: 0, value: true }]);
  return tree.find(path, () => true, undefined) !== undefined;
}
