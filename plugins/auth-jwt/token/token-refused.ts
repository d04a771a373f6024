/** Why a token was refused; for the log. */
export type RefusalReason =
  | 'malformed'
  | 'unsupported header'
  | 'unknown key'
  | 'algorithm'
  | 'signature'
  | 'expired'
  | 'not active yet'
  | 'issuer'
  | 'audience'
  | 'claims';

/** A token that is not accepted. Carries nothing of the token itself. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason) {
    super(`The token was refused: ${reason}`);
    this.reason = reason;
  }
}

/** No key server could be asked yet, so nothing can be said about the token. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
  /** Milliseconds until it is worth trying again. */
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super('The keys are not available');
    this.retryAfter = retryAfter;
  }
}
