import type { Socket } from 'node:net';
import { AddressRanges, parseAddress } from '../net/address-ranges.js';

/** What a connection tells of its peer; worked out once per connection. */
export interface Peer {
  /** Textual address; an IPv4-mapped IPv6 address is written as IPv4. */
  readonly address: string;
  /** Whether it is one of `trustedProxies`. */
  readonly trusted: boolean;
  /** Whether it is this very machine (127.0.0.0/8, ::1). */
  readonly loopback: boolean;
  /** The address as `Forwarded` wants it (RFC 7239 section 6): IPv6 in brackets and quotes. */
  readonly node: string;
  /** The port it reached, as text. */
  readonly localPort: string;
  readonly scheme: 'http' | 'https';
}

// On the socket itself: a look-up per request in a WeakMap costs several times as much.
const PEER = Symbol('peer');

interface KnownSocket extends Socket {
  /** Who is at the other end, as its `owner` sees it: a reload may trust other proxies. */
  [PEER]?: { readonly owner: Peers; readonly peer: Peer };
}

/** Knows the peers of connections, and which of them are trusted proxies. */
export class Peers {
  readonly #trusted: AddressRanges;

  /** @param trustedProxies addresses and CIDR ranges, validated */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = new AddressRanges(trustedProxies);
  }

  of(socket: Socket): Peer {
    const known = (socket as KnownSocket)[PEER];
    if (known?.owner === this) return known.peer;
    const address = plainAddress(socket.remoteAddress ?? '');
    const peer: Peer = {
      address,
      trusted: this.trusts(address),
      loopback: address === '::1' || address.startsWith('127.'),
      node: address.includes(':') ? `"[${address}]"` : address,
      localPort: String(socket.localPort ?? ''),
      scheme: 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http',
    };
    (socket as KnownSocket)[PEER] = { owner: this, peer };
    return peer;
  }

  /** Whether `address` is one of the trusted proxies; false for what is no address. */
  trusts(address: string): boolean {
    if (this.#trusted.isEmpty) return false;
    const parsed = parseAddress(address);
    return parsed !== undefined && this.#trusted.has(parsed);
  }

  /**
   * The client behind trusted proxies: the last address in `X-Forwarded-For` that is not itself one of them. What
   * stands left of it anybody could have written.
   *
   * @param forwardedFor the field's value, or undefined when there is none
   */
  clientAddress(peer: Peer, forwardedFor: string | undefined): string {
    if (!peer.trusted || forwardedFor === undefined) return peer.address;
    let client = peer.address;
    const hops = forwardedFor.split(',');
    for (let i = hops.length - 1; i >= 0; i--) {
      const hop = plainAddress((hops[i] ?? '').trim());
      if (parseAddress(hop) === undefined) break;
      client = hop;
      if (!this.trusts(hop)) break;
    }
    return client;
  }
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
