import type { Duplex } from 'node:stream';
import { type RawData, WebSocket } from 'ws';
import { faultOf } from '../close-codes.js';

/** Learns what one side does. */
export interface PeerEvents {
  onMessage(peer: Peer, data: Buffer, isBinary: boolean): void;
  onPing(peer: Peer, data: Buffer): void;
  onPong(peer: Peer, data: Buffer): void;
  /**
   * It has sent a close, or broken the protocol, and is to be closed in turn, by {@link RelaySocket.closeNow}: at once, or when
   * what it is still to be told has been.
   *
   * @param code undefined for a close without one
   */
  onClosing(peer: Peer, code: number | undefined, reason: Buffer | undefined, isFault: boolean): void;
  /** The connection is gone; `code` is 1006 where it ended without a close. */
  onClose(peer: Peer, code: number, reason: Buffer): void;
}

/** Why a side is not read at present; bits, as there may be several reasons. */
export const Hold = { OTHER_SIDE_FULL: 1, RATE: 2, ANSWERS: 4 } as const;

/** A WebSocket that knows its peer, so that all of them share their listeners. */
export class RelaySocket extends WebSocket {
  peer: Peer | undefined = undefined;
  #isLeaving = false;

  /** Whether it was asked to close, or has to, and was not told the answer yet. */
  get awaitsAnswer(): boolean {
    return this.#isLeaving && this.readyState === WebSocket.OPEN;
  }

  /** Called by `ws` alone, as soon as a close has come, or something that is wrong. */
  override close(code?: number, reason?: string | Buffer): void {
    const { peer } = this;
    if (peer === undefined || !peer.isOpen) {
      super.close(code, reason);
      return;
    }
    // For a fault there is no reason, and for a close at least an empty one.
    const isFault = code !== undefined && reason === undefined;
    this.#isLeaving = true;
    peer.events.onClosing(peer, code, Buffer.isBuffer(reason) ? reason : undefined, isFault);
  }

  closeNow(code: number | undefined, reason: string | Buffer | undefined): void {
    super.close(code, reason);
  }
}

/** One side of a relayed connection. */
export class Peer {
  readonly socket: RelaySocket;
  readonly raw: Duplex;
  readonly events: PeerEvents;
  /** When something came from it, or it took something; monotonic milliseconds, as of the latest sweep. */
  seenAt: number;
  /** When it was sent a ping that it has not answered, or 0. */
  pingedAt = 0;
  /** The close code for what it did wrong. */
  fault: number | undefined = undefined;
  #holds = 0;

  /** @param raw the socket under the WebSocket */
  constructor(socket: RelaySocket, raw: Duplex, events: PeerEvents, now: number) {
    this.socket = socket;
    this.raw = raw;
    this.events = events;
    this.seenAt = now;
    socket.peer = this;
    socket.on('message', onMessage);
    socket.on('ping', onPing);
    socket.on('pong', onPong);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Whether it is not read at present: its silence says nothing then. */
  get isHeld(): boolean {
    return this.#holds !== 0;
  }

  /** Reads it no more, which after a while makes it stop sending. */
  hold(reason: number): void {
    if (this.#holds === 0) this.socket.pause();
    this.#holds |= reason;
  }

  release(reason: number): void {
    if ((this.#holds & reason) === 0) return;
    this.#holds &= ~reason;
    if (this.#holds !== 0) return;
    // Its answer to a ping may have waited all the while.
    this.pingedAt = 0;
    this.socket.resume();
  }

  /** Reads it again, whatever there was against it: it is being closed, and its answer is to be seen. */
  releaseAll(): void {
    if (this.#holds === 0) return;
    this.#holds = 0;
    this.socket.resume();
  }
}

function peerOf(socket: WebSocket): Peer | undefined {
  return socket instanceof RelaySocket ? socket.peer : undefined;
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const peer = peerOf(this);
  if (peer !== undefined && Buffer.isBuffer(data)) peer.events.onMessage(peer, data, isBinary);
}

function onPing(this: WebSocket, data: Buffer): void {
  const peer = peerOf(this);
  peer?.events.onPing(peer, data);
}

function onPong(this: WebSocket, data: Buffer): void {
  const peer = peerOf(this);
  peer?.events.onPong(peer, data);
}

function onError(this: WebSocket, error: Error): void {
  const peer = peerOf(this);
  if (peer !== undefined) peer.fault ??= faultOf(error);
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  const peer = peerOf(this);
  if (peer === undefined) return;
  peer.socket.peer = undefined;
  peer.events.onClose(peer, code, reason);
}
