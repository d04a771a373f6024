/** A login, and every refresh token that came of it. */
export interface Session {
  readonly username: string;
  /** Stands for the password at the login; see User. */
  readonly credential: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What became of a rotation. */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly session: Session }
  | { readonly outcome: 'reused'; readonly session: Session }
  | { readonly outcome: 'unknown' };

/** Where sessions are kept. Only hashes of refresh tokens are: what is stored cannot be used to refresh. */
export interface RefreshStore {
  /** @param family names the session */
  create(family: string, session: Session, tokenHash: string): Promise<void>;
  /**
   * Replaces the valid token of a family, in one atomic step. Any other token of the family is one that was used
   * before: two parties hold the session, and it ends for both (RFC 9700 section 4.14.2).
   *
   * @param now milliseconds since the epoch
   */
  rotate(family: string, tokenHash: string, nextHash: string, now: number): Promise<Rotation>;
  /** Ends a session; nothing happens when there is none. */
  revoke(family: string): Promise<void>;
}
