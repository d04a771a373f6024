import type { Attributes } from '@opentelemetry/api';
import { type Exchange, errorCodeOf, type GatewayRequest, type Target } from '../../core/index.js';

// The names are OpenTelemetry's semantic conventions for HTTP spans (stable since 1.23); `gateway.*` are the gateway's own.

/** The methods that may stand in an attribute as they are: anything else comes from a stranger. */
const METHODS = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

/** What a server's span says of its request when it is over. */
export function serverAttributes(request: GatewayRequest, status: number, client: boolean): Attributes {
  const { req, peer } = request;
  const attributes: Attributes = {
    'http.request.method': methodOf(req.method),
    'http.response.status_code': status,
    'url.scheme': request.scheme,
    'url.path': shortened(request.path),
    'server.address': shortened(request.hostname),
    'server.port': portOf(request.host, peer.localPort),
    'network.protocol.version': req.httpVersion === '2.0' ? '2' : req.httpVersion,
    'gateway.request_id': request.requestId,
  };
  noteStrangeMethod(attributes, req.method);
  if (client) {
    attributes['client.address'] = request.clientAddress;
    attributes['network.peer.address'] = peer.address;
  }
  const agent = req.headers['user-agent'];
  if (agent !== undefined) attributes['user_agent.original'] = shortened(agent);
  const error = errorCodeOf(request) ?? (status >= 500 ? String(status) : undefined);
  if (error !== undefined) attributes['error.type'] = error;
  if (request.isExchange()) {
    attributes['http.route'] = request.route.pattern;
    attributes['gateway.service'] = request.service.name;
    attributes['gateway.route'] = request.route.id;
    attributes['gateway.attempts'] = request.attempts;
  }
  if (request.consumer !== undefined) attributes['gateway.consumer'] = shortened(request.consumer.id);
  noteDecisions(attributes, request.decisions);
  return attributes;
}

/** What the span of an attempt says when its outcome is known. */
export function clientAttributes(
  exchange: Exchange,
  target: Target,
  number: number,
  outcome: { readonly status: number | undefined; readonly error: string | undefined },
): Attributes {
  const { status } = outcome;
  const attributes: Attributes = {
    'http.request.method': methodOf(exchange.req.method),
    'server.address': target.hostname,
    'server.port': target.port,
    'url.full': shortened(target.url + pathOnly(exchange.upstreamPath)),
    'gateway.service': exchange.service.name,
  };
  noteStrangeMethod(attributes, exchange.req.method);
  if (status !== undefined) attributes['http.response.status_code'] = status;
  if (number > 1) attributes['http.request.resend_count'] = number - 1;
  const error = outcome.error ?? (status !== undefined && status >= 400 ? String(status) : undefined);
  if (error !== undefined) attributes['error.type'] = error;
  return attributes;
}

/** The name of a server's span: `GET /api/v1/demo/**`. Of bounded variety, as such names have to be. */
export function spanName(request: GatewayRequest): string {
  const method = methodName(request);
  return request.isExchange() ? `${method} ${request.route.pattern}` : method;
}

/** The method where it is a known one, else `HTTP`; the name of an attempt's span. */
export function methodName({ req }: GatewayRequest): string {
  const { method = '' } = req;
  return METHODS.has(method) ? method : 'HTTP';
}

function methodOf(method = ''): string {
  return METHODS.has(method) ? method : '_OTHER';
}

function noteStrangeMethod(attributes: Attributes, method = ''): void {
  if (!METHODS.has(method)) attributes['http.request.method_original'] = shortened(method);
}

function noteDecisions(attributes: Attributes, decisions: Readonly<Record<string, unknown>>): void {
  for (const name in decisions) {
    const value = decisions[name];
    if (typeof value === 'string' && name !== 'trace_id' && name !== 'span_id') {
      attributes[`gateway.${name}`] = shortened(value);
    }
  }
}

/** The port of a `Host` field, or the one that was connected to. */
function portOf(host: string, localPort: string): number {
  const colon = host.lastIndexOf(':');
  return Number((colon > host.lastIndexOf(']') && host.slice(colon + 1)) || localPort);
}

/** Queries may hold credentials. */
function pathOnly(path: string): string {
  const end = path.indexOf('?');
  return end === -1 ? path : path.slice(0, end);
}

/** Texts are cut here, so that a queue full of spans stays small. */
const LONGEST_TEXT = 1024;

function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) : text;
}
