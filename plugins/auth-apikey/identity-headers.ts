import type { Exchange } from '../../core/index.js';

/**
 * Fields by which upstreams are told who calls, by this plugin or another one: `X-Consumer-*`, `X-Credential-Id`,
 * `X-Authenticated-By`. With `_` for `-` too: upstreams behind CGI and WSGI cannot tell the two apart.
 */
const IDENTITY = /^x[-_](?:consumer[-_]|credential[-_]id$|authenticated[-_]by$)/i;
const LETTER_X = 0x78;
const LOWER_CASE = 0x20;

/** Keeps what a client claims to be from the upstream; what another plugin has set stays. */
export function removeForgedIdentity(exchange: Exchange): void {
  const raw = exchange.req.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if ((name.charCodeAt(0) | LOWER_CASE) !== LETTER_X || !IDENTITY.test(name)) continue;
    const field = name.toLowerCase();
    if (exchange.upstreamHeaders?.has(field) !== true) exchange.removeUpstreamHeader(field);
  }
}

/** Tells the upstream who calls, with which credential, and which plugin vouches for it. */
export function setIdentity(
  exchange: Exchange,
  identity: { readonly consumer: string; readonly credential: string; readonly authenticatedBy: string },
): void {
  exchange.setUpstreamHeader('x-consumer-id', identity.consumer);
  exchange.setUpstreamHeader('x-credential-id', identity.credential);
  exchange.setUpstreamHeader('x-authenticated-by', identity.authenticatedBy);
}
