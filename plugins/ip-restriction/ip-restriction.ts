import { inject, injectable } from 'tsyringe';
import {
  AddressRanges,
  type EndpointMiddleware,
  GatewayError,
  type GatewayPlugin,
  OPTIONS,
  parseAddress,
  type Route,
} from '../../core/index.js';

/** Options of the IP restriction. */
export interface IpRestrictionOptions {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Lets requests in, or keeps them out, by the address of the client. */
@injectable()
export class IpRestriction implements GatewayPlugin<IpRestrictionOptions> {
  readonly #options: IpRestrictionOptions;

  constructor(@inject(OPTIONS) options: IpRestrictionOptions) {
    this.#options = options;
  }

  endpointMiddleware(): EndpointMiddleware | undefined {
    return this.#build(this.#options);
  }

  middleware(_route: Route, options: IpRestrictionOptions): EndpointMiddleware | undefined {
    return this.#build(options);
  }

  #build({ allow, deny }: IpRestrictionOptions): EndpointMiddleware | undefined {
    if (allow.length === 0 && deny.length === 0) return undefined;
    const mayPass = passer(new AddressRanges(allow), new AddressRanges(deny));
    // A connection usually brings many requests: what was found out about its peer is kept as long as it lives.
    const peers = new WeakMap<object, boolean>();
    return ({ gateway: { peer, clientAddress } }, next) => {
      let pass: boolean | undefined;
      if (clientAddress === peer.address) {
        pass = peers.get(peer);
        if (pass === undefined) {
          pass = mayPass(clientAddress);
          peers.set(peer, pass);
        }
      } else {
        pass = mayPass(clientAddress);
      }
      if (!pass) throw new GatewayError('FORBIDDEN');
      return next();
    };
  }
}

/** What is no address cannot be on a list: it passes neither an allow list nor a deny list. */
function passer(allow: AddressRanges, deny: AddressRanges): (address: string) => boolean {
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined || deny.has(address)) return false;
    return allow.isEmpty || allow.has(address);
  };
}
