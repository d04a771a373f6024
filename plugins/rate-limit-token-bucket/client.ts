import ipaddr from 'ipaddr.js';
import type { Consumer, Exchange } from '../../core/index.js';

/**
 * Says which client a request is from: the consumer that an authentication plugin has vouched for, else the address. A
 * credential that nobody has verified never counts, or whoever makes keys up would have a bucket for each.
 */
export class Clients {
  /** Keys of connected peers, so that an address is taken apart once per connection. */
  readonly #peers = new WeakMap<object, string>();

  /** The key of the consumer, else of the address. */
  client(exchange: Exchange): string {
    const { consumer } = exchange;
    return consumer === undefined ? this.address(exchange) : consumerKey(consumer);
  }

  /** The key of the address. */
  address({ peer, clientAddress }: Exchange): string {
    if (clientAddress !== peer.address) return addressKey(clientAddress);
    let key = this.#peers.get(peer);
    if (key === undefined) {
      key = addressKey(clientAddress);
      this.#peers.set(peer, key);
    }
    return key;
  }
}

/** The key of a consumer, however it has shown who it is. */
export function consumerKey({ id }: Consumer): string {
  return `c:${id}`;
}

/** The key of one credential of a consumer. */
export function credentialKey({ id, credentialId }: Consumer): string {
  return credentialId === undefined ? `c:${id}` : `k:${JSON.stringify([id, credentialId])}`;
}

/**
 * The key of an address: an IPv4 address as it is, also where it is mapped into IPv6; of an IPv6 address the first 64
 * bits, since one subscriber usually has all addresses of a /64 (RFC 6177).
 */
export function addressKey(address: string): string {
  if (!address.includes(':') || !ipaddr.IPv6.isValid(address)) return `a:${address}`;
  const parsed = ipaddr.IPv6.parse(address);
  if (parsed.isIPv4MappedAddress()) return `a:${parsed.toIPv4Address()}`;
  const [a = 0, b = 0, c = 0, d = 0] = parsed.parts;
  return `a:${a.toString(16)}:${b.toString(16)}:${c.toString(16)}:${d.toString(16)}::/64`;
}
