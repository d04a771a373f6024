import { GatewayError } from '../../core/index.js';
import type { Requirement } from './access-rules.js';
import { KeysUnavailable, TokenRefused } from './token/token-refused.js';

/** RFC 6750 section 3: the characters of a scope that can stand in the challenge. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** The answers to requests that are not let pass, with their challenges (RFC 6750 section 3). */
export class Challenges {
  readonly #realm: string;
  readonly missing: string;

  /** @param realm without quotes and backslashes */
  constructor(realm: string) {
    this.#realm = realm;
    // RFC 6750 section 3.1: no error code where the request had no authentication at all.
    this.missing = `Bearer realm="${realm}"`;
  }

  /** 401: there was no token. */
  noToken(): GatewayError {
    return new GatewayError('UNAUTHORIZED', { headers: { 'WWW-Authenticate': this.missing } });
  }

  /** 401: the token is bad; 503: nothing could be found out. Any other failure comes back as it is. */
  fromFailure(failure: unknown): unknown {
    if (failure instanceof KeysUnavailable) {
      const seconds = Math.max(1, Math.ceil(failure.retryAfter / 1000));
      return new GatewayError('SERVICE_UNAVAILABLE', { headers: { 'Retry-After': String(seconds) } });
    }
    if (!(failure instanceof TokenRefused)) return failure;
    // Only who holds a signed token learns that it has expired: the signature is checked first.
    const text =
      failure.reason === 'expired' ? 'The access token has expired' : 'The access token is not valid';
    return new GatewayError('UNAUTHORIZED', {
      message: text,
      cause: failure,
      headers: {
        'WWW-Authenticate': `${this.missing}, error="invalid_token", error_description="${text}"`,
      },
    });
  }

  /** 403: the token is good and not enough. */
  insufficient({ scopes }: Requirement): GatewayError {
    const named = scopes.filter((scope) => SCOPE.test(scope));
    const scope = named.length === 0 ? '' : `, scope="${named.join(' ')}"`;
    return new GatewayError('FORBIDDEN', {
      message: 'The access token does not grant this',
      headers: { 'WWW-Authenticate': `Bearer realm="${this.#realm}", error="insufficient_scope"${scope}` },
    });
  }
}
