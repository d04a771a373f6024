import { AddressRanges, type Exchange, parseAddress } from '../../core/index.js';

/** Who and what is not limited. */
export interface ExemptionOptions {
  /** Addresses and CIDR ranges of clients. */
  readonly addresses: readonly string[];
  /** Ids of consumers. */
  readonly consumers: readonly string[];
  /** Paths, exact or with a final `/*` for everything below. */
  readonly paths: readonly string[];
}

/** Tells which requests are not limited. */
export class Exemptions {
  readonly #addresses: AddressRanges;
  readonly #consumers: ReadonlySet<string>;
  readonly #paths: ReadonlySet<string>;
  readonly #prefixes: readonly string[];

  /** @returns undefined where nothing is exempt */
  static of(options: ExemptionOptions): Exemptions | undefined {
    const { addresses, consumers, paths } = options;
    return addresses.length + consumers.length + paths.length === 0 ? undefined : new Exemptions(options);
  }

  private constructor({ addresses, consumers, paths }: ExemptionOptions) {
    this.#addresses = new AddressRanges(addresses);
    this.#consumers = new Set(consumers);
    this.#paths = new Set(paths.filter((path) => !path.endsWith('/*')));
    this.#prefixes = paths.filter((path) => path.endsWith('/*')).map((path) => path.slice(0, -1));
  }

  has({ consumer, path, clientAddress }: Exchange): boolean {
    if (consumer !== undefined && this.#consumers.has(consumer.id)) return true;
    if (this.#paths.has(path)) return true;
    for (const prefix of this.#prefixes) if (path.startsWith(prefix)) return true;
    if (this.#addresses.isEmpty) return false;
    const address = parseAddress(clientAddress);
    return address !== undefined && this.#addresses.has(address);
  }
}
