import { once } from 'node:events';
import { connect } from 'node:tls';
import { until } from './until.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const Frame = { HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, GOAWAY: 7 } as const;
const END_HEADERS = 4;

/** What the server made of a request: an answer of some kind, or the error code that it reset the stream or the session with. */
export type RawOutcome = 'answered' | `reset ${number}` | `goaway ${number}`;

/**
 * Sends one request over HTTP/2 whose fields are as they stand here, for those that no library would send.
 *
 * @param fields names and values in turn, pseudo fields among them
 */
export async function sendRawHttp2(port: number, fields: readonly string[]): Promise<RawOutcome> {
  const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false });
  let received = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    ended = true;
  });
  await once(socket, 'secureConnect');
  const settings = frame(Frame.SETTINGS, 0, 0, Buffer.alloc(0));
  const headers = frame(Frame.HEADERS, END_HEADERS, 1, Buffer.concat(fields.map(literal)));
  socket.write(Buffer.concat([Buffer.from(PREFACE), settings, headers]));
  try {
    await until('an outcome', () => outcomeOf(received) !== undefined || ended);
    const outcome = outcomeOf(received);
    if (outcome === undefined) throw new Error('The connection was closed without a word');
    return outcome;
  } finally {
    socket.destroy();
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string of less than 127 bytes (RFC 7541 section 5.2); a name begins a literal field that is not indexed (section 6.2.2). */
function literal(text: string, index: number): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.from([bytes.length]);
  return Buffer.concat(index % 2 === 0 ? [Buffer.from([0]), length, bytes] : [length, bytes]);
}

function outcomeOf(received: Buffer): RawOutcome | undefined {
  for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) {
    if (at + 9 + received.readUIntBE(at, 3) > received.length) return undefined;
    const type = received[at + 3];
    if (type === Frame.HEADERS) return 'answered';
    if (type === Frame.RST_STREAM) return `reset ${received.readUInt32BE(at + 9)}`;
    if (type === Frame.GOAWAY) return `goaway ${received.readUInt32BE(at + 13)}`;
  }
  return undefined;
}
