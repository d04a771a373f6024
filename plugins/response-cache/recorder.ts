import type { BodySink, BodyTap } from '../../core/index.js';

/** Bytes of bodies that are being recorded, all together. */
export interface RecordingBudget {
  bytes: number;
  readonly most: number;
}

/** What a {@link Recorder} is told. */
export interface RecorderInit {
  /** Most bytes to record. */
  readonly limit: number;
  /** The length that the head declares, or undefined. */
  readonly declared: number | undefined;
  readonly budget: RecordingBudget;
  /** Whether somebody waits for the whole, who must not wait for a slow client. */
  readonly isAwaited: () => boolean;
  readonly onWhole: (body: Buffer) => void;
  /** It is too large, or was broken off. */
  readonly onFailure: (reason: 'too-large' | 'broken-off') => void;
}

/** Records a body while it passes by, and gives it up where it gets too large or does not come to its end. */
export class Recorder implements BodyTap, BodySink {
  readonly #init: RecorderInit;
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;

  constructor(init: RecorderInit) {
    this.#init = init;
  }

  write(chunk: Buffer): boolean {
    if (this.#chunks === undefined) return false;
    const { budget, limit } = this.#init;
    this.#bytes += chunk.length;
    budget.bytes += chunk.length;
    if (this.#bytes > limit || budget.bytes > budget.most) {
      this.#stop();
      this.#init.onFailure('too-large');
      return false;
    }
    this.#chunks.push(chunk);
    return this.#init.isAwaited();
  }

  end(): void {
    const chunks = this.#chunks;
    if (chunks === undefined) return;
    const bytes = this.#bytes;
    this.#stop();
    // RFC 9111 section 3.3: what is shorter than it says is incomplete.
    if (this.#init.declared !== undefined && this.#init.declared !== bytes) {
      this.#init.onFailure('broken-off');
      return;
    }
    // A copy of its own: chunks are parts of large buffers, which they would keep in memory.
    const body = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const chunk of chunks) at += chunk.copy(body, at);
    this.#init.onWhole(body);
  }

  fail(): void {
    if (this.#chunks === undefined) return;
    this.#stop();
    this.#init.onFailure('broken-off');
  }

  outlives(): boolean {
    return this.#chunks !== undefined;
  }

  #stop(): void {
    this.#init.budget.bytes -= this.#bytes;
    this.#chunks = undefined;
  }
}
