import ipaddr from 'ipaddr.js';
import { type Exchange, GatewayError } from '../../core/index.js';

/** How many connections may be open; 0 for any number. */
export interface ConnectionLimitOptions {
  readonly total: number;
  readonly perService: number;
  readonly perClient: number;
}

/** Counts connections, those that are being opened among them. What has none takes no room. */
export class ConnectionLimits {
  #total = 0;
  readonly #services = new Map<string, number>();
  readonly #clients = new Map<string, number>();

  /**
   * Lets a connection in.
   *
   * @returns gives its place back; only the first call counts
   * @throws GatewayError RATE_LIMITED for one too many of the client, SERVICE_UNAVAILABLE for one too many at all
   */
  enter(exchange: Exchange, limits: ConnectionLimitOptions): () => void {
    const service = exchange.service.name;
    const client = clientKey(exchange);
    if (isOver(this.#clients.get(client), limits.perClient)) {
      throw new GatewayError('RATE_LIMITED', { message: 'Too many open connections' });
    }
    if (isOver(this.#total, limits.total) || isOver(this.#services.get(service), limits.perService)) {
      throw new GatewayError('SERVICE_UNAVAILABLE', {
        message: 'Too many open connections',
        headers: { 'Retry-After': '5' },
      });
    }
    this.#total++;
    add(this.#services, service, 1);
    add(this.#clients, client, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#total--;
      add(this.#services, service, -1);
      add(this.#clients, client, -1);
    };
  }
}

function isOver(count: number | undefined, limit: number): boolean {
  return limit > 0 && (count ?? 0) >= limit;
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** The consumer, else the address; of an IPv6 address its /64, which usually is one subscriber's (RFC 6177). */
function clientKey({ consumer, clientAddress: address }: Exchange): string {
  if (consumer !== undefined) return `c:${consumer.id}`;
  if (!address.includes(':') || !ipaddr.IPv6.isValid(address)) return `a:${address}`;
  return `a:${ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':')}`;
}
