import {
  Authentication,
  type GatewayContext,
  type GatewayError,
  type GatewayMiddleware,
  isGatewayError,
  type Logger,
  notingFailure,
  PublicPaths,
  type Route,
} from '../../core/index.js';
import { AccessRules } from './access-rules.js';
import { Challenges } from './challenges.js';
import type { AuthJwtOptions } from './options.js';
import { TokenRefused } from './token/token-refused.js';
import type { TokenVerifier, VerifiedToken } from './token/token-verifier.js';
import { TokenSources } from './token-sources.js';

/** Lets requests of one route pass, or not. */
export class Guard {
  readonly #verifier: TokenVerifier;
  readonly #authentication: Authentication;
  readonly #sources: TokenSources;
  readonly #publicPaths: PublicPaths;
  readonly #rules: AccessRules;
  readonly #challenges: Challenges;
  readonly #optional: boolean;
  readonly #logger: Logger;

  constructor(
    route: Route,
    options: AuthJwtOptions,
    pluginId: string,
    verifier: TokenVerifier,
    logger: Logger,
  ) {
    this.#verifier = verifier;
    this.#authentication = new Authentication(route, pluginId, options.mode);
    this.#sources = new TokenSources({
      cookie: options.cookie,
      query: options.query,
      subprotocol: options.subprotocol,
    });
    this.#publicPaths = new PublicPaths(options.public);
    this.#rules = new AccessRules(options.rules, route);
    this.#challenges = new Challenges(options.realm);
    this.#optional = options.optional;
    this.#logger = logger;
  }

  readonly handle: GatewayMiddleware = (ctx, next) => {
    const exchange = ctx.gateway;
    const token = this.#sources.take(exchange);
    if (this.#publicPaths.has(exchange.path)) {
      this.#abstain(ctx);
      return next();
    }
    if (this.#authentication.isSettled(ctx)) return next();
    if (token === undefined) {
      this.#withoutToken(ctx);
      return next();
    }
    let verified: VerifiedToken | Promise<VerifiedToken>;
    try {
      verified = this.#verifier.verify(token);
    } catch (failure) {
      this.#refuse(ctx, failure);
      return next();
    }
    if (!(verified instanceof Promise)) {
      this.#admit(ctx, verified);
      return next();
    }
    return verified
      .then(
        (found) => this.#admit(ctx, found),
        (failure: unknown) => this.#refuse(ctx, failure),
      )
      .then(next);
  };

  #withoutToken(ctx: GatewayContext): void {
    // A rule asks for a token even where it is optional otherwise.
    if (this.#optional && this.#rules.for(ctx.method).length === 0) this.#abstain(ctx);
    else this.#refuseWith(ctx, this.#challenges.noToken(), false);
  }

  #admit(ctx: GatewayContext, verified: VerifiedToken): void {
    const unmet = this.#rules.unmet(ctx.method, verified);
    if (unmet !== undefined) {
      this.#refuseWith(ctx, this.#challenges.insufficient(unmet), true);
      return;
    }
    const exchange = ctx.gateway;
    this.#authentication.accept(ctx, verified.consumer);
    // Where another plugin has named the consumer, the upstream hears of that one only.
    if (exchange.consumer !== verified.consumer) return;
    for (const [name, value] of verified.headers) exchange.setUpstreamHeader(name, value);
  }

  #refuse(ctx: GatewayContext, failure: unknown): void {
    if (failure instanceof TokenRefused) {
      const { requestId, clientAddress } = ctx.gateway;
      this.#logger.debug(
        { request_id: requestId, client: clientAddress, reason: failure.reason },
        'A token was refused',
      );
    }
    const error = this.#challenges.fromFailure(failure);
    if (!isGatewayError(error)) throw error;
    this.#refuseWith(ctx, error, true);
  }

  #abstain(ctx: GatewayContext): void {
    notingFailure(ctx, false, () => this.#authentication.abstain(ctx));
  }

  #refuseWith(ctx: GatewayContext, error: GatewayError, shown: boolean): void {
    notingFailure(ctx, shown, () => this.#authentication.refuse(ctx, error, shown));
  }
}

/** RFC 6750 section 2.3: no shared cache keeps a response to a request with its token in the URL. */
export function keepingPrivate(inner: GatewayMiddleware): GatewayMiddleware {
  return async (ctx, next) => {
    const { upstreamPath } = ctx.gateway;
    await inner(ctx, async () => {
      const inUrl = ctx.gateway.upstreamPath !== upstreamPath;
      await next();
      if (inUrl && !/private|no-store/i.test(ctx.response.get('Cache-Control')))
        ctx.set('Cache-Control', 'private');
    });
  };
}
