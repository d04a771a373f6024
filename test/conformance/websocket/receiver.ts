import { createHash } from 'node:crypto';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from './case.js';
import type { ReceivedFrame } from './codec.js';
import type { Compression } from './compression.js';

const NAMES = new Map([
  [TEXT, 'text'],
  [BINARY, 'binary'],
  [PING, 'ping'],
  [PONG, 'pong'],
]);
/** Payloads longer than this are named by length and digest. */
const SHORT = 130;

/** What a payload is called among the events. */
export function named(payload: Buffer): string {
  if (payload.length <= SHORT) return payload.toString('latin1');
  return `${payload.length} bytes, ${createHash('sha1').update(payload).digest('hex')}`;
}

/** Judges the frames of a server (RFC 6455 sections 5.1 to 5.5), and makes messages of them. */
export class Receiver {
  /** Messages and control frames in the order they came, and what is wrong with them. */
  readonly events: string[] = [];
  /** The status of the server's close; `none` for a close without; undefined while none came. */
  closeCode: number | 'none' | undefined;
  readonly #compression: Compression | undefined;
  readonly #changed: () => void;
  readonly #onPing: (payload: Buffer) => void;
  #message: { readonly opcode: number; readonly compressed: boolean; readonly parts: Buffer[] } | undefined;
  /** Decompression takes time: what comes keeps its order in a chain. */
  #arrived: Promise<void> = Promise.resolve();

  /** @param changed called after every event */
  constructor(compression: Compression | undefined, changed: () => void, onPing: (payload: Buffer) => void) {
    this.#compression = compression;
    this.#changed = changed;
    this.#onPing = onPing;
  }

  /** Adds an event. */
  note(event: string): void {
    this.events.push(event);
    this.#changed();
  }

  frame(frame: ReceivedFrame): void {
    const wrong = this.#fault(frame);
    if (wrong !== undefined) this.note(`wrong: ${wrong}`);
    else if (frame.opcode >= CLOSE) this.#control(frame);
    else this.#data(frame);
  }

  #fault({ opcode, rsv, masked }: ReceivedFrame): string | undefined {
    if (this.closeCode !== undefined) return 'a frame after the close';
    if (masked) return 'a masked frame of a server';
    const mayCompress = this.#compression !== undefined && (opcode === TEXT || opcode === BINARY);
    if (rsv !== 0 && !(rsv === 4 && mayCompress)) return `reserved bits ${rsv}`;
    if (!NAMES.has(opcode) && opcode !== CONTINUATION && opcode !== CLOSE) return `opcode ${opcode}`;
    const within = this.#message !== undefined;
    if (opcode < CLOSE && (opcode === CONTINUATION) !== within) {
      return `opcode ${opcode} ${within ? 'within' : 'without'} a message`;
    }
    return undefined;
  }

  #data(frame: ReceivedFrame): void {
    const message = this.#message ?? { opcode: frame.opcode, compressed: frame.rsv === 4, parts: [] };
    message.parts.push(frame.payload);
    this.#message = frame.fin ? undefined : message;
    if (!frame.fin) return;
    const payload = Buffer.concat(message.parts);
    const { opcode, compressed } = message;
    this.#arrived = this.#arrived.then(async () => {
      const compression = compressed ? this.#compression : undefined;
      try {
        const plain = compression === undefined ? payload : await compression.inflated(payload);
        if (opcode === TEXT && !isUtf8(plain)) this.note('wrong: a text that is not UTF-8');
        else this.note(`${NAMES.get(opcode)} ${named(plain)}`);
      } catch {
        this.note('wrong: a message that cannot be decompressed');
      }
    });
  }

  #control({ opcode, payload }: ReceivedFrame): void {
    if (opcode === PING) this.#onPing(payload);
    this.#arrived = this.#arrived.then(() => {
      if (opcode !== CLOSE) {
        this.note(`${NAMES.get(opcode)} ${named(payload)}`);
        return;
      }
      this.closeCode = payload.length < 2 ? 'none' : payload.readUInt16BE(0);
      if (!isUtf8(payload.subarray(2))) this.note('wrong: a close reason that is not UTF-8');
      this.#changed();
    });
  }
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
