import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { RelaySocket } from './peer.js';

/** What stands in an outbox. */
export const Kind = { TEXT: 0, BINARY: 1, PING: 2, PONG: 3 } as const;
export type FrameKind = (typeof Kind)[keyof typeof Kind];

/** Bytes that a frame costs beside its payload, so that many empty ones count as well. */
const OVERHEAD = 64;
/**
 * The most bytes that are handed to the socket at once. When a connection breaks, nobody can tell how much of the bytes under
 * way the other end has seen; so they are few.
 */
const MOST_AT_ONCE = 64 * 1024;

/** Frames from this size on cost more to keep and fetch again than a system call does. */
const LARGE = 4096;

/** What fills an outbox. */
export interface Source {
  /** The outbox is full: nothing more is to be read for it. */
  onFull(): void;
  /** There is room again. */
  onRoom(): void;
  /** The other end takes what is sent to it, as more waits than it has taken at once. */
  onProgress(): void;
}

/**
 * Frames on their way to one side, in order. Those that come in one turn of the event loop go out together, in one system
 * call, and only after whatever else that turn had to say: a message that arrived together with the end of the connection
 * is still here then, and not lost in it.
 */
export class Outbox {
  readonly #limit: number;
  readonly #source: Source;
  readonly #isEager: boolean;
  #socket: RelaySocket | undefined;
  #raw: Duplex | undefined;
  #frames: Buffer[] = [];
  #kinds: FrameKind[] = [];
  /** Bytes that wait, those under way among them. */
  #bytes = 0;
  #bytesUnderWay = 0;
  #full = false;
  #scheduled = false;
  /** Frames that may still go out, until there are more of them. */
  #allowed = Number.POSITIVE_INFINITY;

  /**
   * @param limit bytes from which on the source is told to stop
   * @param isEager whether large frames go out at once, while the processor still has them at hand; for a side whose
   *   connection is never made anew, so that nothing has to be kept from going down with it
   */
  constructor(limit: number, source: Source, isEager: boolean) {
    this.#limit = limit;
    this.#source = source;
    this.#isEager = isEager;
  }

  /** Bytes that wait, each frame with a little for itself. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether its source was told to stop, and not yet to go on. */
  get isFull(): boolean {
    return this.#full;
  }

  /** Sends no more frames than so many, until it is called again; the others wait. */
  allow(frames: number): void {
    this.#allowed = frames;
    this.#flush();
  }

  /** Sends what is here, and what comes, to `socket`. */
  connect(socket: RelaySocket, raw: Duplex): void {
    this.#socket = socket;
    this.#raw = raw;
    this.#flush();
  }

  /**
   * The connection is gone. What was not handed to it stays for the next one, but for pings and pongs, which were meant for that
   * connection; what was under way may or may not have arrived, and is not sent again.
   */
  disconnect(): void {
    this.#socket = undefined;
    this.#raw = undefined;
    const [frames, kinds] = [this.#frames, this.#kinds];
    this.#frames = [];
    this.#kinds = [];
    this.#bytes = 0;
    this.#bytesUnderWay = 0;
    for (const [index, frame] of frames.entries()) {
      const kind = kinds[index] ?? Kind.BINARY;
      // A copy, as a small message may keep the much larger chunk alive that it came in.
      if (kind === Kind.TEXT || kind === Kind.BINARY) this.push(Buffer.from(frame), kind);
    }
    this.#makeRoom();
  }

  push(frame: Buffer, kind: FrameKind): void {
    this.#frames.push(frame);
    this.#kinds.push(kind);
    this.#bytes += frame.length + OVERHEAD;
    if (this.#bytesUnderWay === 0 && this.#socket !== undefined) {
      if (this.#isEager && frame.length >= LARGE) this.#flush();
      else if (!this.#scheduled) {
        this.#scheduled = true;
        setImmediate(flush, this);
      }
    }
    if (this.#bytes > this.#limit && !this.#full) {
      this.#full = true;
      this.#source.onFull();
    }
  }

  /** Sends all that is here, and a close behind it. Nothing can be sent any more then. */
  close(code: number | undefined, reason: Buffer | string | undefined): void {
    const [socket, raw] = [this.#socket, this.#raw];
    if (socket === undefined || raw === undefined || socket.readyState !== WebSocket.OPEN) return;
    raw.cork();
    for (const [index, frame] of this.#frames.entries()) send(socket, frame, this.#kinds[index], undefined);
    socket.closeNow(code, reason);
    raw.uncork();
    this.#forget();
  }

  /** Sends all that is here and ends the connection without a close, as the other side's has ended. */
  end(): void {
    const [socket, raw, frames] = [this.#socket, this.#raw, this.#frames];
    if (socket === undefined || raw === undefined) return;
    const end = () => raw.end();
    if (socket.readyState !== WebSocket.OPEN || frames.length === 0) end();
    else {
      // What is compressed is written later: the last to be written ends the connection.
      for (const [index, frame] of frames.entries())
        send(socket, frame, this.#kinds[index], index === frames.length - 1 ? end : undefined);
    }
    this.#forget();
  }

  /** For setImmediate, which passes it on without a closure. */
  flushScheduled(): void {
    this.#scheduled = false;
    this.#flush();
  }

  #forget(): void {
    this.#socket = undefined;
    this.#raw = undefined;
    this.#frames = [];
    this.#kinds = [];
    this.#bytes = 0;
  }

  #flush(): void {
    const [socket, raw, frames, kinds] = [this.#socket, this.#raw, this.#frames, this.#kinds];
    if (frames.length === 0 || this.#bytesUnderWay > 0 || this.#allowed <= 0) return;
    if (socket === undefined || raw === undefined || socket.readyState !== WebSocket.OPEN) return;
    const count = Math.min(batchOf(frames), this.#allowed);
    this.#allowed -= count;
    if (count === frames.length) {
      this.#frames = [];
      this.#kinds = [];
    } else {
      this.#frames = frames.slice(count);
      this.#kinds = kinds.slice(count);
    }
    let bytes = 0;
    raw.cork();
    for (let i = 0; i < count; i++) {
      const frame = frames[i];
      if (frame === undefined) continue;
      bytes += frame.length + OVERHEAD;
      send(socket, frame, kinds[i], i === count - 1 ? this.#onSent(socket) : undefined);
    }
    this.#bytesUnderWay = bytes;
    raw.uncork();
  }

  /** What was under way is with the operating system now. */
  #onSent(socket: RelaySocket) {
    return (error?: Error | null) => {
      if (error || socket !== this.#socket) return;
      this.#bytes -= this.#bytesUnderWay;
      this.#bytesUnderWay = 0;
      // The operating system takes a little from whoever asks; with more behind it, the other end has made room for it.
      if (this.#frames.length > 0) this.#source.onProgress();
      this.#makeRoom();
      this.#flush();
    };
  }

  #makeRoom(): void {
    if (!this.#full || this.#bytes > this.#limit / 2) return;
    this.#full = false;
    this.#source.onRoom();
  }
}

function flush(outbox: Outbox): void {
  outbox.flushScheduled();
}

/** How many frames, from the first on, go out together. */
function batchOf(frames: readonly Buffer[]): number {
  let bytes = 0;
  let count = 0;
  for (const frame of frames) {
    bytes += frame.length;
    if (count > 0 && bytes > MOST_AT_ONCE) break;
    count++;
  }
  return count;
}

// Shared, as `ws` copies them.
const AS_TEXT = { binary: false };
const AS_BINARY = { binary: true };

function send(
  socket: WebSocket,
  frame: Buffer,
  kind: FrameKind | undefined,
  onSent: ((error?: Error | null) => void) | undefined,
): void {
  if (kind === Kind.PING) socket.ping(frame, undefined, onSent);
  else if (kind === Kind.PONG) socket.pong(frame, undefined, onSent);
  else socket.send(frame, kind === Kind.TEXT ? AS_TEXT : AS_BINARY, onSent);
}
