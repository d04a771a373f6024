import { inject, injectable } from 'tsyringe';
import {
  AddressRanges,
  CLOCK,
  type Clock,
  type Exchange,
  type GatewayContext,
  type GatewayMiddleware,
  type GatewayPlugin,
  parseAddress,
  type Route,
} from '../../core/index.js';

/** Options of the plugin: who is told. */
export interface ServerTimingOptions {
  readonly addresses: readonly string[];
  readonly consumers: readonly string[];
}

/** Adds `Server-Timing` to the responses of those who may know. Times tell of what goes on behind: not for everybody. */
@injectable()
export class ServerTiming implements GatewayPlugin<ServerTimingOptions> {
  readonly #clock: Clock;

  constructor(@inject(CLOCK) clock: Clock) {
    this.#clock = clock;
  }

  middleware(_route: Route, { addresses, consumers }: ServerTimingOptions): GatewayMiddleware | undefined {
    const clients = new Clients(addresses);
    const named: ReadonlySet<string> = new Set(consumers);
    if (addresses.length === 0 && named.size === 0) return undefined;
    return (ctx, next) => {
      const { gateway } = ctx;
      if (gateway.kind === 'upgrade') return next();
      const known = clients.has(gateway.clientAddress);
      // Who calls is known on the way back at the earliest.
      if (!known && named.size === 0) return next();
      return this.#measure(ctx, next, () => known || named.has(gateway.consumer?.id ?? ''));
    };
  }

  async #measure(ctx: GatewayContext, next: () => Promise<void>, mayKnow: () => boolean): Promise<void> {
    try {
      await next();
    } finally {
      // Appended: the upstream may have times of its own to tell.
      if (mayKnow() && !ctx.res.headersSent) {
        ctx.res.appendHeader('Server-Timing', serverTiming(ctx.gateway, this.#clock.monotonic()));
      }
    }
  }
}

/**
 * The value of the field (W3C Server Timing): the gateway's own time so far, that of the latest attempt upstream up to
 * its first byte, and what the cache decided; in milliseconds.
 */
function serverTiming(exchange: Exchange, now: number): string {
  const { upstream, decisions } = exchange;
  const total = now - exchange.startedAt;
  const answered = upstream !== undefined && upstream.headAt !== 0;
  const wait = answered ? upstream.headAt - upstream.sentAt : 0;
  let value = `gateway;dur=${milliseconds(total - wait)}`;
  if (answered) value += `, upstream;dur=${milliseconds(wait)}`;
  const cache: unknown = Reflect.get(decisions, 'cache');
  if (typeof cache === 'string' && /^[A-Z]+$/.test(cache)) value += `, cache;desc=${cache}`;
  return value;
}

function milliseconds(duration: number): number {
  return Math.round(Math.max(duration, 0) * 1000) / 1000;
}

/** Clients whose addresses were looked up lately. */
const MOST_REMEMBERED = 1024;

class Clients {
  readonly #ranges: AddressRanges;
  readonly #remembered = new Map<string, boolean>();

  constructor(ranges: readonly string[]) {
    this.#ranges = new AddressRanges(ranges);
  }

  has(address: string): boolean {
    let known = this.#remembered.get(address);
    if (known === undefined) {
      const parsed = parseAddress(address);
      known = parsed !== undefined && this.#ranges.has(parsed);
      if (this.#remembered.size === MOST_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(address, known);
    }
    return known;
  }
}
