import { createHash, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.js';
import type { GatewayRequest } from '../exchange.js';

/** Fields that only a proxy adds: their sender is not the one at the other end of the connection. */
const FORWARDING_FIELDS = [
  'forwarded',
  'x-forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'via',
];
/** Names that reach this machine and nothing else. */
const LOCAL_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Lets administrators pass: who calls directly from this machine, or shows the admin token. A browser that was led here
 * by another site is refused even so.
 */
export class AdminGuard {
  readonly #token: Buffer | undefined;

  /** @param token the admin token, or undefined when there is none: only local callers pass then */
  constructor(token: string | undefined) {
    this.#token = token === undefined ? undefined : digest(token);
  }

  /** @throws GatewayError UNAUTHORIZED or FORBIDDEN */
  check({ req, peer, host, hostname }: GatewayRequest): void {
    const { headers } = req;
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw new GatewayError('FORBIDDEN', {
        message: 'Admin routes answer no request that another site made a browser send',
      });
    }
    const { origin } = headers;
    if (origin !== undefined && !isSameOrigin(origin, host)) {
      throw new GatewayError('FORBIDDEN', { message: 'Admin routes answer no request from another origin' });
    }
    if (headers.authorization !== undefined && this.#token !== undefined) {
      if (this.#holdsToken(headers.authorization)) return;
      throw new GatewayError('UNAUTHORIZED', {
        message: 'The admin token is wrong',
        headers: { 'WWW-Authenticate': 'Bearer realm="gateway admin", error="invalid_token"' },
      });
    }
    // A page may point a name of its own at 127.0.0.1 (DNS rebinding); its Host still tells.
    const local = peer.loopback && LOCAL_NAMES.has(hostname);
    if (local && FORWARDING_FIELDS.every((name) => headers[name] === undefined)) return;
    throw new GatewayError('UNAUTHORIZED', {
      message: 'Admin routes answer local callers, and holders of the admin token',
      headers: { 'WWW-Authenticate': 'Bearer realm="gateway admin"' },
    });
  }

  #holdsToken(authorization: string): boolean {
    const [scheme, token] = authorization.split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || token === undefined || this.#token === undefined) return false;
    return timingSafeEqual(digest(token), this.#token);
  }
}

/** Equal lengths for the comparison, whatever was sent. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function isSameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
