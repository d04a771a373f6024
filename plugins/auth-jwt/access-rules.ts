import type { Route } from '../../core/index.js';
import type { AccessRule } from './options.js';

/** What a token must grant. */
export interface Requirement {
  /** All of them. */
  readonly scopes: readonly string[];
  /** One of them, where there are any. */
  readonly roles: readonly string[];
}

/** What a token grants. */
interface Grants {
  readonly scopes: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
}

/** The rules that apply on one route, by method. */
export class AccessRules {
  readonly #byMethod: ReadonlyMap<string, readonly Requirement[]>;
  readonly #otherMethods: readonly Requirement[];

  constructor(rules: readonly AccessRule[], route: Route) {
    const here = rules.filter(
      ({ services, routes }) =>
        (services === undefined || services.includes(route.service.name)) &&
        (routes === undefined || routes.includes(route.id)),
    );
    const methods = new Set(here.flatMap(methodsOf));
    this.#otherMethods = here.filter((rule) => rule.methods === undefined);
    this.#byMethod = new Map(
      [...methods].map((method) => [
        method,
        here.filter((rule) => rule.methods === undefined || methodsOf(rule).includes(method)),
      ]),
    );
  }

  /** The requirements for a method. */
  for(method: string): readonly Requirement[] {
    return this.#byMethod.get(method) ?? this.#otherMethods;
  }

  /** The first requirement that a token does not meet; undefined when it meets all. */
  unmet(method: string, grants: Grants): Requirement | undefined {
    const requirements = this.for(method);
    if (requirements.length === 0) return undefined;
    return requirements.find(
      ({ scopes, roles }) =>
        !scopes.every((scope) => grants.scopes.has(scope)) ||
        (roles.length > 0 && !roles.some((role) => grants.roles.has(role))),
    );
  }
}

/** GET takes HEAD along: both read the same. */
function methodsOf({ methods = [] }: AccessRule): readonly string[] {
  return methods.includes('GET') ? [...methods, 'HEAD'] : methods;
}
