import type { ServerOptions } from 'ws';
import { type RawConfig, service } from '../../support/gateway.js';

/** The echo server's: large messages, and compression for those who ask. */
export const ECHO_OPTIONS: ServerOptions = { perMessageDeflate: true, maxPayload: 16 * 2 ** 20 };

/** A gateway with the echo server behind `/ws/managed/` and `/ws/tunnel/`, as open as the server itself. */
export function gatewayConfig(echo: string): RawConfig {
  const managed = { maxMessage: '16mb', deflate: { client: true, upstream: true } };
  return {
    services: {
      managed: service(echo, { plugins: { 'ws-proxy': managed } }),
      tunnel: service(echo, { plugins: { 'ws-proxy': { mode: 'tunnel' } } }),
    },
    plugins: [{ 'ws-proxy': {} }],
  };
}
