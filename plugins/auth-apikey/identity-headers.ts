import type { Exchange } from '../../core/index.js';

/** Tells the upstream who calls, with which credential, and which plugin vouches for it. */
export function setIdentity(
  exchange: Exchange,
  identity: { readonly consumer: string; readonly credential: string; readonly authenticatedBy: string },
): void {
  exchange.setUpstreamHeader('x-consumer-id', identity.consumer);
  exchange.setUpstreamHeader('x-credential-id', identity.credential);
  exchange.setUpstreamHeader('x-authenticated-by', identity.authenticatedBy);
}
