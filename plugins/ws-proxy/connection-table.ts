import type { Clock, Timer } from '../../core/index.js';
import { closeClass } from './close-codes.js';
import { ConnectionLimits } from './connection-limits.js';
import type { ConnectionRecord, Ending, Traffic } from './connection-record.js';

/** Milliseconds between two looks at all connections. */
const SWEEP = 1000;
/** The most services whose totals are kept; those of further ones are counted together. */
const MOST_SERVICES = 10_000;
const OTHERS = '(others)';

/** What was counted of one service since the start. Of open connections the traffic is not in it yet. */
export interface ServiceTotals extends Traffic {
  open: number;
  opened: number;
  readonly closed: Map<string, number>;
  failedReconnects: number;
}

/**
 * All open connections of the plugin. It outlives reloads, and the connections with it: a new generation finds them here.
 * One timer looks after all of them.
 */
export class ConnectionTable {
  readonly limits = new ConnectionLimits();
  /** The plugin instance of the generation that takes requests. */
  owner: unknown = undefined;
  /** The gateway is stopping: no more connections. */
  draining = false;
  /** Monotonic milliseconds as of the latest sweep; costs nothing to read. */
  now: number;
  readonly #clock: Clock;
  readonly #open = new Map<string, ConnectionRecord>();
  readonly #totals = new Map<string, ServiceTotals>();
  #timer: Timer | undefined;
  #made = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.monotonic();
  }

  times(): { readonly monotonic: number; readonly now: number } {
    return { monotonic: this.#clock.monotonic(), now: this.#clock.now() };
  }

  nextId(): string {
    this.#made++;
    return String(this.#made);
  }

  get size(): number {
    return this.#open.size;
  }

  get(id: string): ConnectionRecord | undefined {
    return this.#open.get(id);
  }

  /** In the order they were opened. */
  all(): Iterable<ConnectionRecord> {
    return this.#open.values();
  }

  add(record: ConnectionRecord): void {
    this.now = record.openedAt;
    this.#open.set(record.id, record);
    const totals = this.totalsOf(record.service);
    totals.open++;
    totals.opened++;
    this.#timer ??= this.#clock.setInterval(() => this.#sweep(), SWEEP);
  }

  remove(record: ConnectionRecord, { code }: Ending): void {
    if (!this.#open.delete(record.id)) return;
    const totals = this.totalsOf(record.service);
    totals.open--;
    const ended = closeClass(code);
    totals.closed.set(ended, (totals.closed.get(ended) ?? 0) + 1);
    addTraffic(totals, record.traffic);
    if (this.#open.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  totalsOf(service: string): ServiceTotals {
    const name = this.#totals.has(service) || this.#totals.size < MOST_SERVICES ? service : OTHERS;
    let totals = this.#totals.get(name);
    if (totals === undefined) {
      totals = { open: 0, opened: 0, closed: new Map(), failedReconnects: 0, ...NO_TRAFFIC };
      this.#totals.set(name, totals);
    }
    return totals;
  }

  /** The totals of each service, with the traffic of open connections. */
  totals(): ReadonlyMap<string, ServiceTotals> {
    const sums = new Map([...this.#totals].map(([name, totals]) => [name, { ...totals }]));
    for (const record of this.#open.values()) {
      const sum = sums.get(record.service) ?? sums.get(OTHERS);
      if (sum !== undefined) addTraffic(sum, record.measure());
    }
    return sums;
  }

  /** Closes the connections of one service, or all; returns how many. */
  close(service: string | undefined, code: number, reason: string, cause: string): number {
    const records = [...this.#open.values()].filter(
      (record) => service === undefined || record.service === service,
    );
    for (const record of records) record.close(code, reason, cause);
    return records.length;
  }

  #sweep(): void {
    const { monotonic, now } = this.times();
    this.now = monotonic;
    for (const record of this.#open.values()) record.check(monotonic, now);
  }
}

const NO_TRAFFIC: Traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, reconnects: 0 };

function addTraffic(sum: Traffic, traffic: Traffic): void {
  sum.messagesIn += traffic.messagesIn;
  sum.messagesOut += traffic.messagesOut;
  sum.bytesIn += traffic.bytesIn;
  sum.bytesOut += traffic.bytesOut;
  sum.reconnects += traffic.reconnects;
}
