import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Reads an address; one that is IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4. Undefined for other text. */
export function parseAddress(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

/** A set of addresses, given as single ones and CIDR ranges (RFC 4632). */
export class AddressRanges {
  readonly #ranges: readonly (readonly [Address, number])[];

  /** @param ranges validated: format `cidr` */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map(parseRange);
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  has(address: Address): boolean {
    for (const [range, bits] of this.#ranges) {
      if (range.kind() === address.kind() && address.match(range, bits)) return true;
    }
    return false;
  }
}

/** A range that lies in ::ffff:0:0/96 is the IPv4 range that it maps. */
function parseRange(text: string): readonly [Address, number] {
  if (!text.includes('/')) {
    const address = ipaddr.process(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  }
  const [address, bits] = ipaddr.parseCIDR(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96
    ? [address.toIPv4Address(), bits - 96]
    : [address, bits];
}
