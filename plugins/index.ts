import type { PluginCatalogue } from '../core/index.js';

/** The plugins that ship with the gateway. A plugin's module is only imported when the configuration names it. */
export const catalogue: PluginCatalogue = {
  'access-log': () => import('./access-log/index.js'),
  'auth-apikey': () => import('./auth-apikey/index.js'),
  'auth-jwt': () => import('./auth-jwt/index.js'),
  'circuit-breaker': () => import('./circuit-breaker/index.js'),
  compress: () => import('./compress/index.js'),
  cors: () => import('./cors/index.js'),
  'fault-injection': () => import('./fault-injection/index.js'),
  'header-transform': () => import('./header-transform/index.js'),
  'ip-restriction': () => import('./ip-restriction/index.js'),
  metrics: () => import('./metrics/index.js'),
  'rate-limit-token-bucket': () => import('./rate-limit-token-bucket/index.js'),
  'request-validator': () => import('./request-validator/index.js'),
  'response-cache': () => import('./response-cache/index.js'),
  'security-headers': () => import('./security-headers/index.js'),
  'server-timing': () => import('./server-timing/index.js'),
  tracing: () => import('./tracing/index.js'),
  'traffic-shadow': () => import('./traffic-shadow/index.js'),
  'traffic-split': () => import('./traffic-split/index.js'),
  'ws-proxy': () => import('./ws-proxy/index.js'),
};
