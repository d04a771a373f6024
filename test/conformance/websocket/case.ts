import type { FrameToSend } from './codec.js';

/** Something that the client does in a case. */
export type Step =
  /** Sends a frame. */
  | FrameToSend
  /** Sends bytes that no codec would write. */
  | { readonly raw: Buffer }
  /** Sends a data message through the negotiated compression, in one frame or in several of so many bytes. */
  | { readonly compress: Buffer; readonly opcode: number; readonly fragment?: number }
  /** Waits until so many events have been seen. */
  | { readonly events: number }
  /** Waits so many milliseconds, or until the connection has ended; then adds `event` where it has not. */
  | { readonly pause: number; readonly event?: string };

/** How the bytes of the steps are cut up into packets: as they are, a frame each, or so many bytes each. */
export type Chop = 'together' | 'frames' | number;

/** One thing that a server is asked. */
export interface Case {
  /** In the groups of Autobahn|Testsuite: 1 framing, 2 pings, 3 reserved bits, 4 opcodes, 5 fragmentation ... */
  readonly id: string;
  readonly title: string;
  readonly chop?: Chop;
  /** The options of the client's compression; none is offered without. */
  readonly deflate?: object;
  readonly steps: readonly Step[];
  /** What a server answers that does all that it has to. `text ...`, `binary ...`, `ping ...`, `pong ...`. */
  readonly ok: readonly string[];
  /** Other answers that the standard leaves it. */
  readonly nonStrict?: readonly (readonly string[])[];
  /** The client closes with 1000 after the answers by default; otherwise the codes that the server may close with. */
  readonly close?: readonly (number | 'none')[];
  /** Bytes of the client's own close, where that is what is tested. */
  readonly closeWith?: Buffer;
  /** For a case in which the standard asks for nothing: every answer is all right, but it has to be the same. */
  readonly informational?: boolean;
  /** Most milliseconds that it may take; 5000 by default. */
  readonly limit?: number;
}

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

export const text = (payload: string | Buffer, more: Partial<FrameToSend> = {}): FrameToSend => ({
  opcode: TEXT,
  payload: Buffer.from(payload),
  ...more,
});

export const binary = (payload: Buffer): FrameToSend => ({ opcode: BINARY, payload });

export const continuation = (payload: string | Buffer, fin = true): FrameToSend => ({
  opcode: CONTINUATION,
  payload: Buffer.from(payload),
  fin,
});

export const ping = (payload: string | Buffer = ''): FrameToSend => ({
  opcode: PING,
  payload: Buffer.from(payload),
});

export const pong = (payload: string | Buffer = ''): FrameToSend => ({
  opcode: PONG,
  payload: Buffer.from(payload),
});

/** The payload of a close (RFC 6455 section 5.5.1). */
export function closePayload(code: number, reason: string | Buffer = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

export const close = (payload: Buffer = Buffer.alloc(0)): FrameToSend => ({ opcode: CLOSE, payload });

/** A message of several frames of `size` bytes at most. */
export function fragmented(opcode: number, payload: Buffer, size: number): FrameToSend[] {
  const frames: FrameToSend[] = [];
  for (let i = 0; i === 0 || i < payload.length; i += size) {
    frames.push({
      opcode: i === 0 ? opcode : CONTINUATION,
      payload: payload.subarray(i, i + size),
      fin: i + size >= payload.length,
    });
  }
  return frames;
}
