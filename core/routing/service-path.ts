import type { Exchange } from '../exchange.js';
import type { Service } from '../services/service.js';

/**
 * Leads an exchange to another service than before: sets {@link Exchange.service}, and with it what depends on it of
 * the upstream path. To be called before the request is forwarded.
 */
export function leadTo(exchange: Exchange, service: Service): void {
  exchange.upstreamPath = upstreamPathFor(exchange, service);
  exchange.service = service;
}

/**
 * The path and query that the request would have at another service. Only the built-in routes put the base path of their
 * service in front; the upstream path of a route of the configuration is its rewrite's, whoever serves it. What plugins
 * did to the path behind the base path is kept.
 */
export function upstreamPathFor(exchange: Exchange, service: Service): string {
  const websocket = exchange.path.startsWith('/ws/');
  const from = basePathOf(exchange.service, websocket);
  const to = basePathOf(service, websocket);
  if (from === to || !isBuiltIn(exchange)) return exchange.upstreamPath;
  return rebased(exchange.upstreamPath, from, to, exchange.path.endsWith('/'));
}

function basePathOf({ settings }: Service, websocket: boolean): string {
  return websocket ? settings.websocketBasePath : settings.basePath;
}

/** No pattern of the configuration can end in `**`. */
function isBuiltIn({ route }: Exchange): boolean {
  return route.pattern === `/api/v1/${route.service.name}/**`;
}

/**
 * @param endsInSlash whether the client's path does: behind a base path that ends in one itself, that can't be told
 *   from the upstream path any more
 */
function rebased(path: string, from: string, to: string, endsInSlash: boolean): string {
  if (!path.startsWith(from)) return path;
  let rest = path.slice(from.length);
  const isBare = rest === '' || rest.startsWith('?');
  if (from.endsWith('/')) {
    if (!isBare || endsInSlash) rest = `/${rest}`;
  } else if (!isBare && !rest.startsWith('/')) {
    // A plugin has put another path there, which only begins alike.
    return path;
  }
  return to.endsWith('/') && rest.startsWith('/') ? to + rest.slice(1) : to + rest;
}
