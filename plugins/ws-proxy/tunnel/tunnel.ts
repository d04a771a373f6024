import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Target, UpgradeSocket } from '../../../core/index.js';
import { CloseCode } from '../close-codes.js';
import {
  type ConnectionControl,
  ConnectionRecord,
  type Ending,
  type RecordInit,
} from '../connection-record.js';

/** What a tunnel is made of. */
export interface TunnelInit {
  readonly record: RecordInit;
  readonly client: UpgradeSocket;
  readonly upstream: Socket;
  readonly target: Target;
  /** Bytes of the client that were read with its request, and belong to the tunnel. */
  readonly head: number;
  /** The same of the target, read with its response. */
  readonly upstreamHead: number;
  /** Milliseconds that a half-open tunnel may be silent, and the rest of one that is over may take. */
  readonly closeTimeout: number;
}

/**
 * Watches over two sockets that http-proxy has piped into each other: counts what goes by, and sees to it that neither
 * outlives the other.
 */
export class Tunnel implements ConnectionControl {
  readonly #init: TunnelInit;
  readonly #record: ConnectionRecord;
  readonly #readBefore: number;
  readonly #upstreamReadBefore: number;
  #ending: Ending | undefined;
  #halfOpen = false;
  #openSides = 2;

  constructor(init: TunnelInit) {
    const { client, upstream, head, upstreamHead } = init;
    this.#init = init;
    this.#readBefore = client.bytesRead - head;
    this.#upstreamReadBefore = upstream.bytesRead - upstreamHead;
    this.#record = new ConnectionRecord(init.record, this);
    this.#watch(client, upstream, 'client');
    this.#watch(upstream, client, 'upstream');
  }

  measure(): void {
    const { traffic } = this.#record;
    const { client, upstream } = this.#init;
    const bytesIn = client.bytesRead - this.#readBefore;
    const bytesOut = upstream.bytesRead - this.#upstreamReadBefore;
    if (bytesIn !== traffic.bytesIn || bytesOut !== traffic.bytesOut)
      this.#record.activeAt = this.#record.table.now;
    traffic.bytesIn = bytesIn;
    traffic.bytesOut = bytesOut;
  }

  tick(now: number): void {
    this.measure();
    if (this.#halfOpen && now - this.#record.activeAt >= this.#init.closeTimeout) this.#destroy();
  }

  /** There are no messages here that a close could stand behind: the connections just end. */
  close(code: number, _reason: string, cause: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = { code, by: 'gateway', cause };
    const { client, upstream } = this.#init;
    client.unpipe(upstream);
    upstream.unpipe(client);
    this.#finish(client);
    this.#finish(upstream);
  }

  #watch(side: Duplex, other: Duplex, by: 'client' | 'upstream'): void {
    side.once('end', () => {
      this.#halfOpen = true;
      this.#record.activeAt = this.#record.table.now;
      this.#ending ??= { code: CloseCode.NONE, by, cause: 'end' };
    });
    // http-proxy has listeners of its own, but not on both sides, and not from the start.
    side.on('error', () => side.destroy());
    side.once('close', () => {
      this.#ending ??= { code: CloseCode.ABNORMAL, by, cause: 'broken' };
      if (by === 'upstream') this.#init.target.active--;
      this.#openSides--;
      if (this.#openSides === 0) this.#record.end(this.#ending);
      else this.#finish(other);
    });
  }

  /** Lets a side take what is on its way to it, and no more. */
  #finish(side: Duplex): void {
    if (side.destroyed) return;
    // The pipe would stop it when it notices that the other side is gone.
    side.unpipe();
    side.end();
    side.resume();
    const timer = setTimeout(() => side.destroy(), this.#init.closeTimeout);
    side.once('close', () => clearTimeout(timer));
  }

  #destroy(): void {
    this.#init.client.destroy();
    this.#init.upstream.destroy();
  }
}
