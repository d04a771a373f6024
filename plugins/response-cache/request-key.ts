import { hash } from 'node:crypto';
import type { Exchange } from '../../core/index.js';
import { normalised } from './vary.js';

/**
 * The key of a resource, `{METHOD}:{TARGET_URL}`. The method is GET, from whose responses HEAD is answered; the URL has the
 * name of the service in place of a host, so that all its targets share what is stored.
 */
export function resourceKey(exchange: Exchange): string {
  const { service } = exchange;
  // The upstream may have another site for each host.
  const site = service.settings.preserveHost ? `;host=${exchange.host.toLowerCase()}` : '';
  // In one piece: a text that is added together stays in parts, each of which costs the collector as much as all of it.
  return ['GET:http://', service.name, site, exchange.upstreamPath].join('');
}

/**
 * Whom a response that is not public is kept for: the consumer with everything that the upstream is told of it. Empty
 * where nobody is authenticated. A digest, since credentials are part of it.
 */
export function partitionOf(exchange: Exchange): string {
  const { consumer } = exchange;
  if (consumer === undefined) return '';
  const parts = [consumer.authenticatedBy, consumer.id, consumer.credentialId ?? ''];
  for (const [name, value] of exchange.upstreamHeaders ?? []) parts.push(name, value ?? '');
  parts.push(upstreamField(exchange, 'authorization') ?? '');
  return hash('sha256', JSON.stringify(parts), 'base64url');
}

/**
 * What distinguishes the responses of one resource: the origin that the client named, which the upstream learns from
 * forwarding fields and may build links with; the partition; and the fields that `Vary` lists.
 *
 * @param origin see {@link OriginReader}
 */
export function variantKey(
  exchange: Exchange,
  origin: string,
  partition: string,
  vary: readonly string[],
): string {
  let key = partition === '' ? origin : origin + partition;
  if (exchange.peer.trusted) {
    const { headers } = exchange.req;
    key += ` ${headers['x-forwarded-host'] ?? ''} ${headers['x-forwarded-port'] ?? ''}`;
  }
  for (const name of vary) key += `\n${name}${normalised(name, upstreamField(exchange, name))}`;
  return key;
}

/** Tells the origins that clients name; most name the same as the one before, and all of those have one text. */
export class OriginReader {
  #scheme = '';
  #host = '';
  #origin = '';

  of({ scheme, host }: Exchange): string {
    if (host !== this.#host || scheme !== this.#scheme) {
      this.#scheme = scheme;
      this.#host = host;
      this.#origin = `${scheme}://${host} `;
    }
    return this.#origin;
  }
}

/** A field as the upstream gets it, its lines joined with commas; undefined where it gets none. */
export function upstreamField(exchange: Exchange, name: string): string | undefined {
  const edits = exchange.upstreamHeaders;
  if (edits?.has(name)) return edits.get(name);
  const own = OWN[name];
  if (own !== undefined) return own(exchange);
  const raw = exchange.req.rawHeaders;
  let value: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const candidate = raw[i] ?? '';
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    value = value === undefined ? raw[i + 1] : `${value}, ${raw[i + 1]}`;
  }
  return value;
}

/** Fields that the gateway writes itself. */
const OWN: Readonly<Record<string, (exchange: Exchange) => string>> = {
  __proto__: null as never,
  host: ({ service, host }) => (service.settings.preserveHost ? host : ''),
  'x-request-id': ({ requestId }) => requestId,
  'x-forwarded-for': forwardedFor,
  'x-real-ip': forwardedFor,
  forwarded: forwardedFor,
  // Part of every key.
  'x-forwarded-host': () => '',
  'x-forwarded-port': () => '',
  'x-forwarded-proto': () => '',
};

function forwardedFor({ peer, req }: Exchange): string {
  const before = peer.trusted ? req.headers['x-forwarded-for'] : undefined;
  return before === undefined ? peer.address : `${before}, ${peer.address}`;
}

/**
 * Fields with which clients can make an upstream answer for something else than the URL and that no upstream lists in
 * `Vary`. Where a request has one, it is taken for listed, so that nobody else is given what it made of the answer.
 */
export function unkeyedFields(exchange: Exchange): readonly string[] {
  const raw = exchange.req.rawHeaders;
  let found: string[] | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const first = name.charCodeAt(0) | 0x20;
    if (first !== 0x78 && first !== 0x66) continue;
    const lower = name.toLowerCase();
    const suspicious = lower.startsWith('x-forwarded-') ? OWN[lower] === undefined : UNKEYED.has(lower);
    if (!suspicious) continue;
    found ??= [];
    if (!found.includes(lower)) found.push(lower);
  }
  return found ?? NONE;
}

const NONE: readonly string[] = [];

const UNKEYED = new Set([
  'front-end-https',
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-url',
  'x-override-url',
  'x-rewrite-url',
  'x-url-scheme',
]);
