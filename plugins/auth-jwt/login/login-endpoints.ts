import {
  type EndpointContext,
  type EndpointRouter,
  GatewayError,
  isGatewayError,
  type Logger,
  readJsonBody,
} from '../../../core/index.js';
import type { Login } from './login.js';
import type { Sessions } from './sessions.js';
import type { TokenIssuer } from './token-issuer.js';
import type { User } from './users.js';

/** Longer ones are no passwords, and cost time to hash. */
const LONGEST_FIELD = 1024;

/** What the endpoints work with. */
export interface LoginEndpointsParts {
  readonly login: Login;
  readonly sessions: Sessions;
  readonly issuer: TokenIssuer;
  /** Milliseconds. */
  readonly accessTokenTtl: number;
  /** The challenge of a 401 (RFC 9110 section 11.6.1). */
  readonly challenge: string;
  readonly logger: Logger;
}

/** `POST /api/v1/auth/login`, `/refresh` and `/logout`, in the shapes of the requirements. */
export class LoginEndpoints {
  readonly #parts: LoginEndpointsParts;

  constructor(parts: LoginEndpointsParts) {
    this.#parts = parts;
  }

  mount(router: EndpointRouter): void {
    router.post('/api/v1/auth/login', (ctx) => this.#login(ctx));
    router.post('/api/v1/auth/refresh', (ctx) => this.#refresh(ctx));
    router.post('/api/v1/auth/logout', (ctx) => this.#logout(ctx));
  }

  async #login(ctx: EndpointContext): Promise<void> {
    const { login, sessions, logger } = this.#parts;
    const body = await this.#readBody(ctx);
    const username = textOf(body, 'username');
    const password = textOf(body, 'password');
    const { requestId, clientAddress } = ctx.gateway;
    let user: User;
    try {
      user = await login.check(username, password, clientAddress);
    } catch (error) {
      // The name is left out: people type passwords there by mistake.
      if (isGatewayError(error)) {
        if (error.status === 401) ctx.set('WWW-Authenticate', this.#parts.challenge);
        logger.warn({ request_id: requestId, client: clientAddress, code: error.code }, 'A login failed');
      }
      throw error;
    }
    logger.info({ request_id: requestId, client: clientAddress, user: user.username }, 'A user logged in');
    this.#answer(ctx, user, await sessions.start(user));
  }

  async #refresh(ctx: EndpointContext): Promise<void> {
    const refreshed = await this.#parts.sessions.refresh(textOf(await this.#readBody(ctx), 'refresh_token'));
    if (refreshed === undefined) {
      ctx.set('WWW-Authenticate', this.#parts.challenge);
      throw new GatewayError('UNAUTHORIZED', { message: 'The refresh token is not valid' });
    }
    this.#answer(ctx, refreshed.user, refreshed.token);
  }

  async #logout(ctx: EndpointContext): Promise<void> {
    await this.#parts.sessions.end(textOf(await this.#readBody(ctx), 'refresh_token'));
    // RFC 7009 section 2.2: an unknown token is as good as revoked.
    ctx.status = 204;
  }

  #readBody(ctx: EndpointContext): Promise<Record<string, unknown>> {
    ctx.set('Cache-Control', 'no-store');
    return readJsonBody(ctx.req);
  }

  #answer(ctx: EndpointContext, { username, scopes, roles }: User, refreshToken: string): void {
    const { issuer, accessTokenTtl } = this.#parts;
    ctx.body = {
      access_token: issuer.issue({ subject: username, scopes, roles }, accessTokenTtl),
      token_type: 'bearer',
      expires_in: Math.floor(accessTokenTtl / 1000),
      refresh_token: refreshToken,
    };
  }
}

function textOf(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_FIELD) {
    throw new GatewayError('BAD_REQUEST', {
      message: `Expected '${name}' to be a text of 1 to ${LONGEST_FIELD} characters`,
    });
  }
  return value;
}
