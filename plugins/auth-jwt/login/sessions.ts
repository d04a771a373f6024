import { createHash, randomBytes } from 'node:crypto';
import type { Clock, Logger } from '../../../core/index.js';
import type { RefreshStore } from './refresh-store.js';
import type { User, Users } from './users.js';

const FAMILY_BYTES = 16;
const SECRET_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/;

/** What sessions are kept with. */
export interface SessionsParts {
  readonly store: RefreshStore;
  readonly users: Users;
  /** Milliseconds from the login to the end of the session. */
  readonly ttl: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sessions of users who have logged in. A refresh token is `family.secret`, both random: each is good once, and
 * showing one again ends the session.
 */
export class Sessions {
  readonly #parts: SessionsParts;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  /** Starts a session; returns its first refresh token. */
  async start({ username, credential }: User): Promise<string> {
    const { store, ttl, clock } = this.#parts;
    const family = randomBytes(FAMILY_BYTES).toString('base64url');
    const token = newToken(family);
    await store.create(family, { username, credential, expiresAt: clock.now() + ttl }, hashOf(token));
    return token;
  }

  /** Exchanges a refresh token for the next one; undefined when it is not, or no longer, good. */
  async refresh(token: string): Promise<{ user: User; token: string } | undefined> {
    const { store, users, clock, logger } = this.#parts;
    const family = familyOf(token);
    if (family === undefined) return undefined;
    const next = newToken(family);
    const rotation = await store.rotate(family, hashOf(token), hashOf(next), clock.now());
    if (rotation.outcome === 'unknown') return undefined;
    const { username, credential } = rotation.session;
    if (rotation.outcome === 'reused') {
      logger.warn({ user: username }, 'A refresh token was shown a second time: the session was ended');
      return undefined;
    }
    const user = users.get(username);
    if (user !== undefined && user.credential === credential) return { user, token: next };
    // The user is gone, or has another password: sessions of the old one end with it.
    await store.revoke(family);
    return undefined;
  }

  /** Ends the session that a refresh token belongs to; nothing happens for any other text. */
  async end(token: string): Promise<void> {
    const family = familyOf(token);
    if (family !== undefined) await this.#parts.store.revoke(family);
  }
}

function newToken(family: string): string {
  return `${family}.${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

function familyOf(token: string): string | undefined {
  return TOKEN.test(token) ? token.slice(0, token.indexOf('.')) : undefined;
}

/** The token is random and long: a plain hash is enough. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
