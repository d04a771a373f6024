import { GatewayError } from '../errors.js';
import type { Consumer, GatewayContext, Route } from '../plugin.js';

/**
 * How several authentication plugins on a route go together: one of them must accept the request (`any`), or each of
 * them must (`all`).
 */
export type AuthenticationMode = 'any' | 'all';

/** What the authentication plugins of a route have found out about a request so far. */
export interface AuthenticationState {
  /** Whether one of them has accepted the request. */
  accepted: boolean;
  /** Why others have not, first the one that was shown a credential. */
  refusals: { readonly error: GatewayError; readonly shown: boolean }[];
}

/**
 * The part of one authentication plugin in the decision on a route. The plugins find each other by the capability
 * `authentication`, and the last of them decides, so that nothing behind it ever runs for a request that none has
 * accepted.
 */
export class Authentication {
  readonly #mode: AuthenticationMode;
  readonly #isLast: boolean;

  /** @param pluginId the id of the plugin instance, as in `route.plugins` */
  constructor(route: Route, pluginId: string, mode: AuthenticationMode) {
    this.#mode = mode;
    const own = route.plugins.findIndex(({ id }) => id === pluginId);
    this.#isLast = !route.plugins.slice(own + 1).some(({ provides }) => provides.includes('authentication'));
  }

  /** Whether the plugin need not look at the request: another one has established whose it is, and one is enough. */
  isSettled(ctx: GatewayContext): boolean {
    return this.#mode === 'any' && ctx.gateway.consumer !== undefined;
  }

  /** The request is the consumer's. The first plugin to accept names the consumer. */
  accept(ctx: GatewayContext, consumer: Consumer | undefined): void {
    const state = stateOf(ctx);
    state.accepted = true;
    ctx.gateway.consumer ??= consumer;
  }

  /**
   * The plugin cannot accept the request.
   *
   * @param error what to answer with; its `WWW-Authenticate` is the plugin's challenge (RFC 9110 section 11.6.1)
   * @param shown whether there was a credential for this plugin at all
   * @throws GatewayError when nobody is left who could accept the request
   */
  refuse(ctx: GatewayContext, error: GatewayError, shown: boolean): void {
    if (this.#mode === 'all') throw error;
    const { refusals } = stateOf(ctx);
    if (shown) refusals.unshift({ error, shown });
    else refusals.push({ error, shown });
    if (this.#isLast) decide(ctx);
  }

  /**
   * The plugin asks for no credential here. The request passes where all of them abstain; one that asks for a credential
   * is enough to need one.
   *
   * @throws GatewayError as {@link refuse} does
   */
  abstain(ctx: GatewayContext): void {
    if (this.#isLast) decide(ctx);
  }
}

/** The word of the last authentication plugin on a route. */
function decide(ctx: GatewayContext): void {
  const { accepted, refusals } = stateOf(ctx);
  if (accepted) return;
  const error = withAllChallenges(refusals.map((refusal) => refusal.error));
  if (error !== undefined) throw error;
}

function stateOf(ctx: GatewayContext): AuthenticationState {
  ctx.state.authentication ??= { accepted: false, refusals: [] };
  return ctx.state.authentication;
}

/** The first error, with every way in that there is: also the challenges of plugins whose error is not the answer. */
function withAllChallenges(errors: readonly GatewayError[]): GatewayError | undefined {
  const [first] = errors;
  const challenges = errors
    .map(({ headers }) => headers?.['WWW-Authenticate'])
    .filter((each) => each !== undefined);
  if (first === undefined || challenges.length === 0) return first;
  return new GatewayError(first.code, {
    message: first.message,
    headers: { ...first.headers, 'WWW-Authenticate': challenges.join(', ') },
    cause: first.cause,
    ...(first.details ? { details: first.details } : {}),
  });
}
