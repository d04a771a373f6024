import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * Frames as another implementation writes and reads them: WebSocket-Node (npm `websocket`), and faye's
 * permessage-deflate. Neither shares code with `ws`, which the gateway is built on.
 */

/** A frame to send (RFC 6455 section 5.2), whether it may be sent or not. */
export interface FrameToSend {
  readonly opcode: number;
  readonly payload?: Buffer;
  /** True by default. */
  readonly fin?: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv?: number;
  /** True by default, as a client has to. */
  readonly mask?: boolean;
}

/** A frame that was received. */
export interface ReceivedFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** The parts of WebSocket-Node's frame that are used here. */
interface PeerFrame {
  fin: boolean;
  rsv1: boolean;
  rsv2: boolean;
  rsv3: boolean;
  mask: boolean;
  opcode: number;
  binaryPayload: Buffer;
  readonly closeStatus: number;
  readonly protocolError: boolean;
  readonly frameTooLarge: boolean;
  readonly invalidCloseFrameLength: boolean;
  readonly dropReason?: string;
  addData(list: BufferList): boolean;
  toBuffer(): Buffer;
}
type PeerFrameClass = new (mask: Buffer, header: Buffer, config: object) => PeerFrame;
interface BufferList {
  write(bytes: Buffer): void;
}
type BufferListClass = new () => BufferList;

interface DeflateMessage {
  rsv1: boolean;
  data: Buffer;
}
/** One connection's compression (RFC 7692), as permessage-deflate keeps it. */
export interface DeflateSession {
  generateOffer(): Record<string, number | true>;
  /** @returns false when what was agreed to does not fit the offer */
  activate(params: Record<string, number | true>): boolean;
  processIncomingMessage(message: DeflateMessage, callback: DeflateCallback): void;
  processOutgoingMessage(message: DeflateMessage, callback: DeflateCallback): void;
  close(): void;
}
type DeflateCallback = (error: Error | null, message: DeflateMessage) => void;
interface Deflate {
  configure(options: object): { createClientSession(): DeflateSession };
}

const HERE = fileURLToPath(new URL('./', import.meta.url));
const LARGEST = 64 * 2 ** 20;
const CLOSE = 8;

/** Installs the codecs into this folder, unless they are there. */
async function installCodecs(): Promise<void> {
  if (existsSync(join(HERE, 'node_modules', 'websocket', 'package.json'))) return;
  const npm = spawn(
    'npm',
    ['ci', '--prefix', HERE, '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const code = await new Promise((resolve, reject) => npm.once('error', reject).once('close', resolve));
  if (code !== 0) {
    throw new Error(
      'The WebSocket codecs of test/conformance/websocket could not be installed: see npm above. They are fetched once, which takes a network.',
    );
  }
}

/** Writes and reads frames. */
export class Codec {
  readonly #Frame: PeerFrameClass;
  readonly #BufferList: BufferListClass;
  readonly #deflate: Deflate;

  private constructor(Frame: PeerFrameClass, BufferList: BufferListClass, deflate: Deflate) {
    this.#Frame = Frame;
    this.#BufferList = BufferList;
    this.#deflate = deflate;
  }

  /** @throws Error when the packages are not there and cannot be fetched */
  static async load(): Promise<Codec> {
    await installCodecs();
    const require = createRequire(join(HERE, 'package.json'));
    return new Codec(
      require('websocket').frame,
      require('websocket/vendor/FastBufferList'),
      require('permessage-deflate'),
    );
  }

  encode({ opcode, payload = Buffer.alloc(0), fin = true, rsv = 0, mask = true }: FrameToSend): Buffer {
    const frame = this.#frame();
    frame.fin = fin;
    frame.rsv1 = (rsv & 4) !== 0;
    frame.rsv2 = (rsv & 2) !== 0;
    frame.rsv3 = (rsv & 1) !== 0;
    frame.mask = mask;
    // It would put a status in front of the payload of a close, and here that is part of the payload or left out.
    frame.opcode = opcode === CLOSE ? 0 : opcode;
    frame.binaryPayload = payload;
    const bytes = frame.toBuffer();
    bytes[0] = (bytes[0] ?? 0) | opcode;
    return bytes;
  }

  /**
   * Makes a reader of a stream of frames.
   *
   * @param onFrame called for each
   * @param onError called once with what is wrong with the bytes
   */
  reader(onFrame: (frame: ReceivedFrame) => void, onError: (reason: string) => void) {
    const list = new this.#BufferList();
    let frame = this.#frame();
    let broken = false;
    return (bytes: Buffer): void => {
      if (bytes.length === 0) return;
      list.write(bytes);
      while (!broken && frame.addData(list)) {
        if (frame.protocolError || frame.frameTooLarge || frame.invalidCloseFrameLength) {
          broken = true;
          onError(frame.dropReason ?? 'a close of one byte');
          return;
        }
        onFrame(received(frame));
        frame = this.#frame();
      }
    };
  }

  /** @param options of permessage-deflate: noContextTakeover, maxWindowBits, requestNoContextTakeover, requestMaxWindowBits */
  deflateSession(options: object): DeflateSession {
    return this.#deflate.configure({ ...options }).createClientSession();
  }

  #frame(): PeerFrame {
    return new this.#Frame(Buffer.alloc(4), Buffer.alloc(10), { maxReceivedFrameSize: LARGEST });
  }
}

function received(frame: PeerFrame): ReceivedFrame {
  const { opcode, fin, mask, closeStatus } = frame;
  let payload = frame.binaryPayload;
  if (opcode === CLOSE && closeStatus !== -1) {
    payload = Buffer.concat([Buffer.from([closeStatus >> 8, closeStatus & 255]), payload]);
  }
  const rsv = (frame.rsv1 ? 4 : 0) + (frame.rsv2 ? 2 : 0) + (frame.rsv3 ? 1 : 0);
  return { opcode, fin, rsv, masked: mask, payload };
}
