import type { Consumer, Logger } from '../../core/index.js';
import type { ConnectionTable } from './connection-table.js';

/** What went by a connection so far; in is from the client, out is to it. */
export interface Traffic {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  reconnects: number;
}

/** How a connection ended. */
export interface Ending {
  readonly code: number;
  readonly by: 'client' | 'upstream' | 'gateway';
  /** Short text of a bounded set, for the log. */
  readonly cause: string;
}

/** What a mode does with its connection when it is told to. */
export interface ConnectionControl {
  /** Ends it in good order. Harmless when it is ending already. */
  close(code: number, reason: string, cause: string): void;
  /** Called every second. */
  tick(now: number): void;
  /** Brings the traffic in the record up to date, where it is not counted as it goes by. */
  measure?(): void;
}

/** What is known of a connection when it opens. */
export interface RecordInit {
  readonly requestId: string;
  readonly service: string;
  readonly route: string;
  readonly mode: 'managed' | 'tunnel';
  readonly path: string;
  readonly client: string;
  readonly consumer: Consumer | undefined;
  readonly target: string;
  readonly protocol: string;
  /** Milliseconds, or 0 for none. */
  readonly idleTimeout: number;
  readonly maxLifetime: number;
  readonly logger: Logger;
  readonly table: ConnectionTable;
  /** Gives its place in the limits back. */
  readonly leave: () => void;
}

/** An open connection: what it is, what went by it, and how long it may last. */
export class ConnectionRecord implements Readonly<RecordInit> {
  /** Unique as long as the process lives. */
  readonly id: string;
  /** Of the request that it began with; trusted proxies choose it. */
  readonly requestId: string;
  readonly service: string;
  readonly route: string;
  readonly mode: 'managed' | 'tunnel';
  readonly path: string;
  readonly client: string;
  readonly consumer: Consumer | undefined;
  readonly protocol: string;
  readonly idleTimeout: number;
  readonly maxLifetime: number;
  readonly logger: Logger;
  readonly table: ConnectionTable;
  readonly leave: () => void;
  /** The one it is connected to, or was before it was lost. */
  target: string;
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** When something went by; monotonic milliseconds, as of the latest sweep. */
  activeAt: number;
  readonly traffic: Traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, reconnects: 0 };
  readonly #control: ConnectionControl;
  #ended = false;

  constructor(init: RecordInit, control: ConnectionControl) {
    this.id = init.table.nextId();
    this.requestId = init.requestId;
    this.service = init.service;
    this.route = init.route;
    this.mode = init.mode;
    this.path = init.path;
    this.client = init.client;
    this.consumer = init.consumer;
    this.target = init.target;
    this.protocol = init.protocol;
    this.idleTimeout = init.idleTimeout;
    this.maxLifetime = init.maxLifetime;
    this.logger = init.logger;
    this.table = init.table;
    this.leave = init.leave;
    this.#control = control;
    const { monotonic, now } = init.table.times();
    this.openedAt = monotonic;
    this.activeAt = monotonic;
    this.startedAt = now;
    this.table.add(this);
  }

  close(code: number, reason: string, cause: string): void {
    this.#control.close(code, reason, cause);
  }

  /** Brings {@link traffic} up to date. */
  measure(): Traffic {
    this.#control.measure?.();
    return this.traffic;
  }

  /**
   * Closes it when its time is over.
   *
   * @param now monotonic milliseconds
   * @param wall milliseconds since the epoch
   */
  check(now: number, wall: number): void {
    this.#control.tick(now);
    const expiresAt = this.consumer?.expiresAt;
    if (expiresAt !== undefined && wall >= expiresAt)
      this.close(1008, 'The credential has expired', 'expired');
    else if (this.maxLifetime > 0 && now - this.openedAt >= this.maxLifetime)
      this.close(1001, 'The connection has reached its maximum age', 'lifetime');
    else if (this.idleTimeout > 0 && now - this.activeAt >= this.idleTimeout)
      this.close(1001, 'The connection was idle for too long', 'idle');
  }

  /** It is over: gives its place back, and writes its line. Only the first call counts. */
  end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    const traffic = this.measure();
    const duration = this.table.times().monotonic - this.openedAt;
    this.leave();
    this.table.remove(this, ending);
    const isManaged = this.mode === 'managed';
    this.logger.info(
      {
        request_id: this.requestId,
        connection: this.id,
        service: this.service,
        route: this.route,
        mode: this.mode,
        path: this.path,
        client: this.client,
        consumer: this.consumer?.id,
        target: this.target,
        duration_ms: Math.round(duration * 1000) / 1000,
        messages_in: isManaged ? traffic.messagesIn : undefined,
        messages_out: isManaged ? traffic.messagesOut : undefined,
        bytes_in: traffic.bytesIn,
        bytes_out: traffic.bytesOut,
        close_code: isManaged ? ending.code : undefined,
        closed_by: ending.by,
        cause: ending.cause,
        reconnects: traffic.reconnects === 0 ? undefined : traffic.reconnects,
      },
      'A connection was closed',
    );
  }
}
