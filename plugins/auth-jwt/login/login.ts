import { type Derive, GatewayError, verifyPassword } from '../../../core/index.js';
import type { LoginThrottle } from './login-throttle.js';
import { type Turnstile, TurnstileBusy } from './turnstile.js';
import type { User, Users } from './users.js';

/** What a login is decided with. */
export interface LoginParts {
  readonly users: Users;
  readonly throttle: LoginThrottle;
  /** Keeps password checks from taking all threads and memory. */
  readonly turnstile: Turnstile;
  /** scrypt by default. */
  readonly derive?: Derive;
}

/** Checks passwords. An unknown user costs the same time, and counts the same, as a wrong password. */
export class Login {
  readonly #parts: LoginParts;

  constructor(parts: LoginParts) {
    this.#parts = parts;
  }

  /**
   * @param address of the client
   * @throws GatewayError UNAUTHORIZED; RATE_LIMITED with `Retry-After`; SERVICE_UNAVAILABLE when too many log in at once
   */
  async check(username: string, password: string, address: string): Promise<User> {
    const { users, throttle, turnstile, derive } = this.#parts;
    const wait = throttle.begin(username, address);
    if (wait > 0) {
      throw new GatewayError('RATE_LIMITED', {
        message: 'Too many failed logins',
        headers: { 'Retry-After': String(Math.ceil(wait / 1000)) },
      });
    }
    const user = users.get(username);
    const hash = user?.hash ?? users.decoyFor(username);
    let matches = false;
    try {
      if (hash !== undefined) matches = await turnstile.run(() => verifyPassword(password, hash, derive));
    } catch (error) {
      throttle.cancelled(username, address);
      if (!(error instanceof TurnstileBusy)) throw error;
      throw new GatewayError('SERVICE_UNAVAILABLE', {
        message: 'Too many logins at once',
        headers: { 'Retry-After': '1' },
      });
    }
    if (user === undefined || !matches) {
      throw new GatewayError('UNAUTHORIZED', { message: 'The username or the password is wrong' });
    }
    throttle.succeeded(username, address);
    return user;
  }
}
