import type { Target } from '../../../core/index.js';
import { CloseCode } from '../close-codes.js';
import {
  type ConnectionControl,
  ConnectionRecord,
  type Ending,
  type RecordInit,
} from '../connection-record.js';
import { Heartbeat } from './heartbeat.js';
import type { OpenedUpstream } from './open-upstream.js';
import { Kind, Outbox } from './outbox.js';
import { Hold, Peer, type PeerEvents, type RelaySocket } from './peer.js';
import type { Reconnector } from './reconnector.js';
import type { ManagedSettings } from './settings.js';

/** What a relay is made of. */
export interface RelayInit {
  readonly record: RecordInit;
  readonly settings: ManagedSettings;
  readonly client: RelaySocket;
  readonly clientRaw: Peer['raw'];
  readonly upstream: OpenedUpstream;
  /** Connects again; undefined where that is switched off. */
  readonly reconnector: Reconnector | undefined;
}

interface Farewell {
  /** Undefined for none. */
  readonly code: number | undefined;
  readonly reason: Buffer | undefined;
}

const GONE: Ending = { code: CloseCode.ABNORMAL, by: 'client', cause: 'client gone' };
const SERVICE_GONE = 'The service went away';

/**
 * Relays frames between a client and its upstream, each as it came. When the connection to the upstream breaks, the client
 * is kept, and what it sends waits for the next connection.
 */
export class Relay implements PeerEvents, ConnectionControl {
  readonly #record: ConnectionRecord;
  readonly #settings: ManagedSettings;
  readonly #client: Peer;
  readonly #toClient: Outbox;
  readonly #toUpstream: Outbox;
  readonly #reconnector: Reconnector | undefined;
  readonly #heartbeat: Heartbeat;
  /** Undefined while there is none. */
  #upstream: Peer | undefined;
  #target: Target | undefined;
  /** Set as soon as it is being closed. */
  #ending: Ending | undefined;
  /** What the client is closed with once the upstream has answered all that it sent before it wanted to go. */
  #farewell: Farewell | undefined;
  /** Frames of the client in this second, and what it has overdrawn before. */
  #frames = 0;

  constructor(init: RelayInit) {
    const { settings } = init;
    this.#settings = settings;
    this.#reconnector = init.reconnector;
    this.#heartbeat = new Heartbeat(settings.heartbeat);
    this.#record = new ConnectionRecord(init.record, this);
    this.#client = new Peer(init.client, init.clientRaw, this, this.#record.openedAt);
    this.#toClient = new Outbox(
      settings.buffer,
      {
        onFull: () => {
          this.#upstream?.hold(Hold.OTHER_SIDE_FULL);
          // Answers to its pings fill it too while there is no upstream.
          if (this.#upstream === undefined) this.#client.hold(Hold.ANSWERS);
        },
        onRoom: () => {
          this.#upstream?.release(Hold.OTHER_SIDE_FULL);
          this.#client.release(Hold.ANSWERS);
        },
        onProgress: () => this.#seen(this.#client),
      },
      true,
    );
    this.#toUpstream = new Outbox(
      settings.buffer,
      {
        onFull: () => this.#client.hold(Hold.OTHER_SIDE_FULL),
        onRoom: () => this.#client.release(Hold.OTHER_SIDE_FULL),
        onProgress: () => {
          if (this.#upstream !== undefined) this.#seen(this.#upstream);
        },
      },
      false,
    );
    // What one read of the client brought is more than it may send in a second, perhaps.
    if (settings.messagesPerSecond > 0) this.#toUpstream.allow(settings.messagesPerSecond);
    this.#toClient.connect(init.client, init.clientRaw);
    this.#attach(init.upstream);
  }

  onMessage(peer: Peer, data: Buffer, isBinary: boolean): void {
    if (this.#ending !== undefined && (this.#farewell === undefined || peer === this.#client)) return;
    const { traffic, table } = this.#record;
    peer.seenAt = table.now;
    peer.pingedAt = 0;
    this.#record.activeAt = table.now;
    const kind = isBinary ? Kind.BINARY : Kind.TEXT;
    if (peer === this.#client) {
      traffic.messagesIn++;
      traffic.bytesIn += data.length;
      this.#toUpstream.push(data, kind);
      this.#countFrame();
    } else {
      traffic.messagesOut++;
      traffic.bytesOut += data.length;
      this.#toClient.push(data, kind);
    }
    if (this.#toUpstream.bytes > this.#settings.most || this.#toClient.bytes > this.#settings.most) {
      this.close(CloseCode.POLICY, 'More messages at once than can be kept', 'flood');
    }
  }

  onPing(peer: Peer, data: Buffer): void {
    if (this.#ending !== undefined) return;
    this.#seen(peer);
    this.#record.activeAt = this.#record.table.now;
    if (peer !== this.#client) this.#toClient.push(data, Kind.PING);
    else {
      this.#countFrame();
      // Nobody else is there to answer while the upstream is away.
      if (this.#upstream === undefined) this.#toClient.push(data, Kind.PONG);
      else this.#toUpstream.push(data, Kind.PING);
    }
  }

  onPong(peer: Peer, data: Buffer): void {
    if (this.#ending !== undefined) return;
    this.#seen(peer);
    if (this.#heartbeat.isOwn(data)) return;
    if (peer !== this.#client) this.#toClient.push(data, Kind.PONG);
    else {
      this.#countFrame();
      if (this.#upstream !== undefined) this.#toUpstream.push(data, Kind.PONG);
    }
  }

  onClosing(peer: Peer, code: number | undefined, reason: Buffer | undefined, isFault: boolean): void {
    const { socket } = peer;
    if (peer !== this.#client || this.#ending !== undefined || this.#upstream === undefined) {
      socket.closeNow(code, reason);
      return;
    }
    // The answers to its last messages are still to come: the close goes all the way to the upstream and back.
    this.#farewell = { code, reason };
    this.#ending = isFault
      ? { code: code ?? CloseCode.PROTOCOL_ERROR, by: 'gateway', cause: 'client fault' }
      : { code: code ?? CloseCode.NONE, by: 'client', cause: 'close' };
    if (isFault) this.#toUpstream.close(CloseCode.GOING_AWAY, undefined);
    else this.#toUpstream.close(code, reason);
    this.#letUpstreamGo();
  }

  onClose(peer: Peer, code: number, reason: Buffer): void {
    if (peer === this.#client) this.#onClientClose(code, reason);
    else if (peer === this.#upstream) this.#onUpstreamClose(peer, code, reason);
    this.#endIfBothAreGone();
  }

  tick(now: number): void {
    if (this.#ending !== undefined) return;
    const limit = this.#settings.messagesPerSecond;
    if (limit > 0) {
      this.#toUpstream.allow(limit);
      this.#frames = Math.max(0, this.#frames - limit);
      if (this.#frames < limit) this.#client.release(Hold.RATE);
    }
    if (this.#heartbeat.isDead(this.#client, this.#toClient, now)) {
      this.#ending = { ...GONE, by: 'gateway', cause: 'client silent' };
      this.#client.socket.terminate();
      this.#toUpstream.close(CloseCode.GOING_AWAY, undefined);
      this.#letUpstreamGo();
    } else if (
      this.#upstream !== undefined &&
      this.#heartbeat.isDead(this.#upstream, this.#toUpstream, now)
    ) {
      // Its close event follows, and is taken for what it is: a break.
      this.#upstream.socket.terminate();
    }
  }

  close(code: number, reason: string, cause: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = { code, by: 'gateway', cause };
    this.#toClient.close(code, reason);
    this.#client.releaseAll();
    this.#toUpstream.close(CloseCode.GOING_AWAY, reason);
    this.#letUpstreamGo();
  }

  #attach({ socket, raw, target }: OpenedUpstream): void {
    this.#target = target;
    this.#record.target = target.url;
    const upstream = new Peer(socket, raw, this, this.#record.table.now);
    this.#upstream = upstream;
    if (!upstream.isOpen) {
      // It broke before anybody listened; it will not be said again.
      socket.peer = undefined;
      socket.terminate();
      this.#onUpstreamClose(upstream, CloseCode.ABNORMAL, Buffer.alloc(0));
      this.#endIfBothAreGone();
      return;
    }
    this.#toUpstream.connect(socket, raw);
    socket.resume();
    if (this.#toClient.isFull) upstream.hold(Hold.OTHER_SIDE_FULL);
  }

  #onClientClose(code: number, reason: Buffer): void {
    this.#client.releaseAll();
    this.#reconnector?.cancel();
    if (this.#ending !== undefined) return;
    const { fault } = this.#client;
    if (fault !== undefined) {
      this.#ending = { code: fault, by: 'gateway', cause: 'client fault' };
      this.#toUpstream.close(CloseCode.GOING_AWAY, undefined);
    } else if (code === CloseCode.ABNORMAL) {
      this.#ending = GONE;
      this.#toUpstream.end();
    } else {
      this.#ending = { code, by: 'client', cause: 'close' };
      this.#toUpstream.close(sendable(code), reason);
    }
    this.#letUpstreamGo();
  }

  #onUpstreamClose(peer: Peer, code: number, reason: Buffer): void {
    this.#upstream = undefined;
    if (this.#target !== undefined) this.#target.active--;
    this.#target = undefined;
    if (this.#farewell !== undefined) this.#toClient.close(this.#farewell.code, this.#farewell.reason);
    if (this.#ending !== undefined) return;
    const { codes } = this.#settings.reconnect;
    if (peer.fault !== undefined) {
      this.#closeClient(CloseCode.BAD_GATEWAY, 'The service broke the protocol', 'upstream fault');
    } else if (code !== CloseCode.ABNORMAL && !codes.includes(code)) {
      this.#ending = { code, by: 'upstream', cause: 'close' };
      this.#toClient.close(sendable(code), reason);
      this.#client.releaseAll();
    } else if (this.#reconnector === undefined || !this.#client.isOpen) {
      this.#closeClient(CloseCode.BAD_GATEWAY, SERVICE_GONE, 'upstream gone');
    } else {
      this.#toUpstream.disconnect();
      this.#reconnector.start(
        (opened) => {
          this.#record.traffic.reconnects++;
          this.#attach(opened);
        },
        () => {
          this.#record.table.totalsOf(this.#record.service).failedReconnects++;
          this.#closeClient(CloseCode.BAD_GATEWAY, SERVICE_GONE, 'upstream gone');
        },
      );
    }
  }

  #closeClient(code: number, reason: string, cause: string): void {
    this.#ending = { code, by: cause === 'upstream gone' ? 'upstream' : 'gateway', cause };
    this.#toClient.close(code, reason);
    this.#client.releaseAll();
  }

  /** Reads the upstream until it has answered, and no longer than it may take. */
  #letUpstreamGo(): void {
    this.#reconnector?.cancel();
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    upstream.releaseAll();
    const timer = setTimeout(() => upstream.socket.terminate(), this.#settings.closeTimeout);
    upstream.socket.once('close', () => clearTimeout(timer));
  }

  #endIfBothAreGone(): void {
    if (this.#upstream === undefined && this.#client.socket.peer === undefined && this.#ending !== undefined)
      this.#record.end(this.#ending);
  }

  #seen(peer: Peer): void {
    peer.seenAt = this.#record.table.now;
    peer.pingedAt = 0;
  }

  #countFrame(): void {
    const limit = this.#settings.messagesPerSecond;
    if (limit > 0 && ++this.#frames >= limit) this.#client.hold(Hold.RATE);
  }
}

/** The code as it can be sent: 1005 stands for none. */
function sendable(code: number): number | undefined {
  return code === CloseCode.NONE ? undefined : code;
}
