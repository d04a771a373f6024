import { IncomingMessage, METHODS } from 'node:http';
import { Socket } from 'node:net';
import type { Settings } from '../config/schema.js';
import { parseAddress } from '../net/address-ranges.js';
import { GatewayResponse } from '../server/gateway-response.js';
import type { Arrival } from '../server/request-reader.js';

/** A request as the command line describes it. */
export interface DescribedRequest {
  readonly method: string;
  /** A path, or a URL with the host that is asked for. */
  readonly url: string;
  /** `name: value` each. */
  readonly fields: readonly string[];
  /** The address that it comes from. */
  readonly from: string;
}

const UPGRADE = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'];

/**
 * The request as Node.js would hand it over, had it come by a connection.
 *
 * @throws Error for a method, a URL, a field or an address that is none
 */
export function arrivalOf({ method, url, fields, from }: DescribedRequest, settings: Settings): Arrival {
  // Node.js refuses others before the gateway sees them.
  if (!METHODS.includes(method)) throw new Error(`'${method}' is no method: write GET, in capitals`);
  if (parseAddress(from) === undefined)
    throw new Error(`'${from}' is no address: write 192.0.2.1 or 2001:db8::1`);
  const { host, target, websocket } = parseUrl(url, settings);
  const raw = fields.flatMap(parseField);
  if (!raw.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')) raw.unshift('Host', host);
  if (websocket) raw.push(...UPGRADE);
  const req = new IncomingMessage(socketFrom(from, settings));
  req.method = method;
  req.url = target;
  req.httpVersion = '1.1';
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.rawHeaders = raw;
  req.headers = headersOf(raw);
  const { upgrade, connection } = req.headers;
  const upgrades = upgrade !== undefined && /\bupgrade\b/i.test(connection ?? '');
  const res = new GatewayResponse(req);
  return { req, res, kind: upgrades ? 'upgrade' : 'http', expectsContinue: false };
}

function parseUrl(
  url: string,
  { host, port }: Settings,
): { host: string; target: string; websocket: boolean } {
  if (url.startsWith('/'))
    return {
      host: `${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${port}`,
      target: url,
      websocket: false,
    };
  const match = /^(https?|wss?):\/\/([^/?#]+)([^#]*)/i.exec(url);
  if (match === null) throw new Error(`'${url}' is no URL: write /path, or http://host/path`);
  const [, scheme = '', authority = '', rest = ''] = match;
  // As it is written: a URL object would tidy up what the gateway is to judge.
  return {
    host: authority,
    target: rest.startsWith('/') ? rest : `/${rest}`,
    websocket: scheme.toLowerCase().startsWith('ws'),
  };
}

function parseField(field: string): [string, string] {
  const colon = field.indexOf(':');
  const name = field.slice(0, Math.max(colon, 0)).trim();
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
    throw new Error(`'${field}' is no header field: write 'name: value'`);
  return [name, field.slice(colon + 1).trim()];
}

/** Fields by name in lower case; what stands there several times is joined, as Node.js does with most. */
function headersOf(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    headers[name] =
      headers[name] === undefined ? value : `${headers[name]}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

/** A connection that is none, with what is asked of one. */
function socketFrom(address: string, { port, tls }: Settings): Socket {
  return Object.defineProperties(new Socket(), {
    remoteAddress: { value: address },
    localPort: { value: port },
    ...(tls === undefined ? {} : { encrypted: { value: true } }),
  });
}
