import { inject, injectable } from 'tsyringe';
import {
  BASE_DIRECTORY,
  CLOCK,
  type Clock,
  type EndpointRouter,
  type GatewayMiddleware,
  type GatewayPlugin,
  type Hooks,
  KEPT_STATE,
  type KeptState,
  LOGGER,
  type Logger,
  OPTIONS,
  PLUGIN_ID,
  type PluginStats,
  type Route,
} from '../../core/index.js';
import { Challenges } from './challenges.js';
import { Guard, keepingPrivate } from './guard.js';
import { createKeyRing } from './keys/create-key-ring.js';
import { Login } from './login/login.js';
import { LoginEndpoints } from './login/login-endpoints.js';
import { LoginThrottle } from './login/login-throttle.js';
import { MemoryRefreshStore } from './login/memory-refresh-store.js';
import { Sessions } from './login/sessions.js';
import { TokenIssuer, type TokenSubject } from './login/token-issuer.js';
import { Turnstile } from './login/turnstile.js';
import { loadUsers, type Users } from './login/users.js';
import type { AuthJwtOptions } from './options.js';
import { TokenVerifier } from './token/token-verifier.js';

/** Most sessions that are kept; far more users than one process serves. */
const MOST_SESSIONS = 100_000;
/** Password checks at once: half of Node.js' threads, so that files and DNS have the others. */
const CHECKS_AT_ONCE = 2;
const CHECKS_WAITING = 50;

/** JSON Web Tokens: lets requests with a good one pass, and gives them out to users who log in. */
@injectable()
export class AuthJwt implements GatewayPlugin<AuthJwtOptions> {
  readonly hooks: Hooks = { onStart: () => this.#loadKeys() };
  readonly #options: AuthJwtOptions;
  readonly #id: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #kept: KeptState;
  readonly #baseDirectory: string;
  readonly #verifiers = new Map<string, TokenVerifier>();
  readonly #issuer: TokenIssuer | undefined;
  readonly #users: Users;

  /** @throws Error for a weak secret, unusable keys, or unusable users */
  constructor(
    @inject(OPTIONS) options: AuthJwtOptions,
    @inject(PLUGIN_ID) id: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
    @inject(KEPT_STATE) kept: KeptState,
    @inject(BASE_DIRECTORY) baseDirectory: string,
  ) {
    this.#options = options;
    this.#id = id;
    this.#logger = logger;
    this.#clock = clock;
    this.#kept = kept;
    this.#baseDirectory = baseDirectory;
    this.#verifierFor(options);
    this.#issuer = options.secret === undefined ? undefined : new TokenIssuer(options.secret, options, clock);
    this.#users = loadUsers(options, baseDirectory);
    if (this.#users.size > 0 && this.#issuer === undefined) {
      throw new Error('auth-jwt has users, and no secret to sign their tokens with: set secret');
    }
  }

  middleware(route: Route, options: AuthJwtOptions): GatewayMiddleware {
    const guard = new Guard(route, options, this.#id, this.#verifierFor(options), this.#logger);
    return options.query === undefined ? guard.handle : keepingPrivate(guard.handle);
  }

  endpoints(router: EndpointRouter): void {
    const issuer = this.#issuer;
    const users = this.#users;
    if (issuer === undefined || users.size === 0) return;
    const { loginThrottle, refreshTokenTtl, accessTokenTtl, realm } = this.#options;
    const [clock, logger] = [this.#clock, this.#logger];
    // A reload is no reason to forget who was guessing, or to log everybody out.
    const key = `auth-jwt:${this.#id}`;
    const throttle = this.#kept.keep(
      `${key}:throttle:${JSON.stringify(loginThrottle)}`,
      () => new LoginThrottle(loginThrottle, clock),
    );
    const turnstile = this.#kept.keep(
      `${key}:turnstile`,
      () => new Turnstile(CHECKS_AT_ONCE, CHECKS_WAITING),
    );
    const store = this.#kept.keep(`${key}:sessions`, () => new MemoryRefreshStore(MOST_SESSIONS));
    new LoginEndpoints({
      login: new Login({ users, throttle, turnstile }),
      sessions: new Sessions({ store, users, ttl: refreshTokenTtl, clock, logger }),
      issuer,
      accessTokenTtl,
      challenge: new Challenges(realm).missing,
      logger,
    }).mount(router);
  }

  stats(): PluginStats {
    let remembered = 0;
    for (const verifier of this.#verifiers.values()) remembered += verifier.remembered;
    return { config: { enable_auth: true }, stats: { authentication: { remembered_tokens: remembered } } };
  }

  /**
   * Signs a token for tests; what `gateway token` prints.
   *
   * @param ttl milliseconds; `accessTokenTtl` by default
   * @throws Error when there is no secret to sign with
   */
  issueToken(subject: TokenSubject, ttl: number = this.#options.accessTokenTtl): string {
    if (this.#issuer === undefined) {
      throw new Error(`The plugin ${this.#id} has no secret, and only a secret can sign tokens`);
    }
    return this.#issuer.issue(subject, ttl);
  }

  /** A key server that is away is no reason not to start: its tokens are answered with 503 until it is back. */
  async #loadKeys(): Promise<void> {
    await Promise.all([...this.#verifiers.values()].map((verifier) => verifier.load()));
  }

  /** Routes with the same keys and demands share a verifier, and with it the tokens it remembers. */
  #verifierFor(options: AuthJwtOptions): TokenVerifier {
    const { secret, publicKey, publicKeys, jwks, algorithms, allowWeakSecret } = options;
    const keys = { secret, publicKey, publicKeys, jwks, algorithms, allowWeakSecret };
    const { issuer, audience, clockSkew, requiredClaims, scopesClaim, rolesClaim, cache } = options;
    const demands = { issuer, audience, clockSkew, requiredClaims, scopesClaim, rolesClaim, cache };
    const key = JSON.stringify([keys, demands]);
    let verifier = this.#verifiers.get(key);
    if (verifier === undefined) {
      const services = {
        pluginId: this.#id,
        clock: this.#clock,
        logger: this.#logger,
        kept: this.#kept,
        baseDirectory: this.#baseDirectory,
      };
      const ring = createKeyRing(options, services);
      verifier = new TokenVerifier(ring, { pluginId: this.#id, ...demands }, this.#clock);
      this.#verifiers.set(key, verifier);
    }
    return verifier;
  }
}
