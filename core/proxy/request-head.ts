import type { Exchange } from '../exchange.js';
import { parseAddress } from '../net/address-ranges.js';
import { connectionOptions, FieldFate, requestFields } from './header-fields.js';

/** How the request head is written, beside what the request itself says. */
export interface RequestHeadOptions {
  /** Pseudonym for the `Via` field (RFC 9110 section 7.6.3), or undefined to send none. */
  readonly via: string | undefined;
}

/** Writes the heads of upstream requests. */
export class RequestHeadWriter {
  readonly #fields = requestFields();
  readonly #via: string | undefined;

  constructor(options: RequestHeadOptions) {
    this.#via = options.via;
  }

  /**
   * The header fields of the upstream request, names and values in turn: the client's end-to-end fields byte for
   * byte, the plugins' edits, and the forwarding fields.
   */
  write(exchange: Exchange): string[] {
    const { req } = exchange;
    const raw = req.rawHeaders;
    const edits = exchange.upstreamHeaders;
    const head: string[] = [];
    // Without one, undici sends the target's own.
    if (exchange.service.settings.preserveHost) head.push('host', exchange.host);
    let dropped: Set<string> | undefined;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? '';
      switch (this.#fields.of(name)) {
        case FieldFate.Copy:
          // HTTP/2 pseudo fields start with a colon; its split cookies are joined below.
          if (name.charCodeAt(0) === 0x3a || (req.httpVersionMajor === 2 && name === 'cookie')) break;
          if (edits?.has(name.toLowerCase())) break;
          head.push(name, raw[i + 1] ?? '');
          break;
        case FieldFate.ContentLength:
          // A body that was read is a Buffer, whose length undici writes.
          if (exchange.hasBody && exchange.body === undefined) head.push('content-length', raw[i + 1] ?? '');
          break;
        case FieldFate.Connection: {
          const options = connectionOptions(raw[i + 1] ?? '');
          if (options !== undefined) dropped = dropped ? new Set([...dropped, ...options]) : options;
          break;
        }
        default:
          break;
      }
    }
    // RFC 9113 section 8.2.3: one Cookie field for HTTP/1.1.
    const cookie = req.httpVersionMajor === 2 ? req.headers.cookie : undefined;
    if (cookie !== undefined && !edits?.has('cookie')) head.push('cookie', cookie);
    if (dropped !== undefined) removeFields(head, dropped);
    this.#writeForwarding(head, exchange);
    head.push('x-request-id', exchange.requestId);
    if (edits !== undefined) {
      for (const [name, value] of edits) if (value !== undefined) head.push(name, value);
    }
    return head;
  }

  /**
   * `X-Forwarded-*`, `Forwarded` (RFC 7239) and `Via`. What an untrusted peer sent under these names is replaced,
   * what a trusted proxy sent is kept and added to.
   */
  #writeForwarding(head: string[], exchange: Exchange): void {
    const { peer, host, scheme } = exchange;
    // HTTP/1.0 knows requests without Host.
    const element =
      host === '' ? `for=${peer.node};proto=${scheme}` : `for=${peer.node};host="${host}";proto=${scheme}`;
    if (peer.trusted) {
      const { headers } = exchange.req;
      head.push(
        'x-forwarded-for',
        joined(headers['x-forwarded-for'], peer.address),
        'x-forwarded-host',
        first(headers['x-forwarded-host']) ?? host,
        'x-forwarded-port',
        first(headers['x-forwarded-port']) ?? peer.localPort,
        'x-forwarded-proto',
        scheme,
        'forwarded',
        joined(headers.forwarded ?? elementsOf(first(headers['x-forwarded-for']), exchange), element),
      );
      const via = first(headers.via);
      if (via !== undefined && this.#via === undefined) head.push('via', via);
    } else {
      head.push(
        'x-forwarded-for',
        peer.address,
        'x-forwarded-host',
        host,
        'x-forwarded-port',
        peer.localPort,
        'x-forwarded-proto',
        scheme,
        'forwarded',
        element,
      );
    }
    if (host === '') removeFields(head, EMPTY);
    if (this.#via !== undefined) {
      head.push('via', joined(exchange.req.headers.via, `${exchange.req.httpVersion} ${this.#via}`));
    }
  }
}

/**
 * What a proxy said with `X-Forwarded-*` alone, as elements of `Forwarded` (RFC 7239 section 7.4): an upstream may read either.
 * Only the first proxy knows host and scheme.
 */
function elementsOf(forwardedFor: string | undefined, { req, scheme }: Exchange): string | undefined {
  if (forwardedFor === undefined) return undefined;
  const [nearest, ...others] = forwardedFor.split(',').map((hop) => `for=${nodeOf(hop.trim())}`);
  const host = first(req.headers['x-forwarded-host']);
  const named = host !== undefined && /^[\w.:[\]-]+$/.test(host) ? `;host="${host}"` : '';
  return [`${nearest}${named};proto=${scheme}`, ...others].join(', ');
}

/** RFC 7239 section 6: IPv6 in brackets and quotes, and what is no address is unknown. */
function nodeOf(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) return 'unknown';
  return address.includes(':') ? `"[${address}]"` : address;
}

const EMPTY: ReadonlySet<string> = new Set(['x-forwarded-host']);

/** Takes the fields named in `names` (lower case) out of `head`. */
export function removeFields(head: string[], names: ReadonlySet<string>): void {
  for (let i = head.length - 2; i >= 0; i -= 2) {
    if (names.has((head[i] ?? '').toLowerCase())) head.splice(i, 2);
  }
}

function joined(existing: string | string[] | undefined, added: string): string {
  const before = first(existing);
  return before === undefined || before === '' ? added : `${before}, ${added}`;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
