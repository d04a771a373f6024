/** What a row expects of each mode, where they differ: a tunnel leaves the verdict to the service. */
export type PerMode<T> = T | { readonly managed: T; readonly tunnel: T };

export function expected<T>(value: PerMode<T>, mode: 'managed' | 'tunnel'): T {
  return typeof value === 'object' && value !== null && mode in value
    ? (value as { managed: T; tunnel: T })[mode]
    : (value as T);
}

/** The code of the first close among frames that are not masked; 1005 for one without. */
export function closeCodeOf(frames: Buffer): number | undefined {
  let at = 0;
  while (at + 2 <= frames.length) {
    const opcode = (frames[at] ?? 0) & 0x0f;
    const short = (frames[at + 1] ?? 0) & 0x7f;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (start > frames.length) return undefined;
    const length = short < 126 ? short : frames.readUInt16BE(at + 2);
    if (start + length > frames.length) return undefined;
    if (opcode === 8) return length === 0 ? 1005 : frames.readUInt16BE(start);
    at = start + length;
  }
  return undefined;
}

/** A handshake that is wrong. */
export interface HandshakeRow {
  readonly title: string;
  /** What is sent, byte for byte. */
  readonly bytes: string;
  readonly status: PerMode<number>;
  /** A field of the answer. */
  readonly field?: readonly [name: string, value: string];
}

/** Frames that are wrong, from a client; or right, and easily taken for wrong. */
export interface FrameRow {
  readonly title: string;
  readonly bytes: Buffer;
  /** The code of the close that comes back. */
  readonly code: PerMode<number>;
}

/** What a service does wrong. */
export interface UpstreamRow {
  readonly title: string;
  /** Instead of, or behind, a handshake as it should be. */
  readonly answer: (accept: string) => string | Buffer;
  /** What the client gets: a status before the 101, or a close code behind it. */
  readonly managed: number;
}

const KEY = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
const VERSION = 'Sec-WebSocket-Version: 13';
const UPGRADE = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket'];

function head(lines: readonly string[], first = 'GET /ws/a/x HTTP/1.1'): string {
  return `${[first, ...lines].join('\r\n')}\r\n\r\n`;
}

/** As it should be. */
export const HANDSHAKE = head([...UPGRADE, KEY, VERSION]);

export const HANDSHAKES: readonly HandshakeRow[] = [
  { title: 'no key', bytes: head([...UPGRADE, VERSION]), status: 400 },
  {
    title: 'a key that is too short',
    bytes: head([...UPGRADE, VERSION, 'Sec-WebSocket-Key: AAAA']),
    status: 400,
  },
  {
    title: 'a key that is no base64',
    bytes: head([...UPGRADE, VERSION, `${KEY.slice(0, -3)}!==`]),
    status: 400,
  },
  { title: 'two keys', bytes: head([...UPGRADE, VERSION, KEY, KEY]), status: 400 },
  {
    title: 'no version',
    bytes: head([...UPGRADE, KEY]),
    status: { managed: 426, tunnel: 400 },
    field: ['sec-websocket-version', '13'],
  },
  {
    title: 'an old version',
    bytes: head([...UPGRADE, KEY, 'Sec-WebSocket-Version: 7']),
    status: { managed: 426, tunnel: 400 },
    field: ['sec-websocket-version', '13'],
  },
  {
    title: 'a version that is no number',
    bytes: head([...UPGRADE, KEY, 'Sec-WebSocket-Version: x']),
    status: { managed: 426, tunnel: 400 },
  },
  {
    title: 'two versions',
    bytes: head([...UPGRADE, KEY, VERSION, VERSION]),
    status: { managed: 426, tunnel: 400 },
  },
  { title: 'no Connection', bytes: head(['Host: a', 'Upgrade: websocket', KEY, VERSION]), status: 426 },
  { title: 'no Upgrade', bytes: head(['Host: a', 'Connection: Upgrade', KEY, VERSION]), status: 426 },
  {
    title: 'a plain request',
    bytes: head(['Host: a', 'Connection: close']),
    status: 426,
    field: ['upgrade', 'websocket'],
  },
  {
    title: 'another protocol',
    bytes: head(['Host: a', 'Connection: Upgrade', 'Upgrade: irc', KEY, VERSION]),
    status: { managed: 426, tunnel: 404 },
  },
  {
    title: 'a list of protocols',
    bytes: head(['Host: a', 'Connection: Upgrade', 'Upgrade: websocket, x', KEY, VERSION]),
    status: { managed: 426, tunnel: 404 },
  },
  {
    title: 'a malformed protocol',
    bytes: head(['Host: a', 'Connection: Upgrade', 'Upgrade: <x>', KEY, VERSION]),
    status: { managed: 426, tunnel: 400 },
  },
  {
    title: 'POST',
    bytes: head([...UPGRADE, KEY, VERSION, 'Content-Length: 0'], 'POST /ws/a/x HTTP/1.1'),
    status: 405,
  },
  {
    title: 'a body by length',
    bytes: `${head([...UPGRADE, KEY, VERSION, 'Content-Length: 5'])}hello`,
    status: 400,
  },
  {
    title: 'a chunked body',
    bytes: `${head([...UPGRADE, KEY, VERSION, 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    status: 400,
  },
  {
    title: 'length and coding',
    bytes: head([...UPGRADE, KEY, VERSION, 'Content-Length: 1', 'Transfer-Encoding: chunked']),
    status: 400,
  },
  { title: 'HTTP/1.0', bytes: head([...UPGRADE, KEY, VERSION], 'GET /ws/a/x HTTP/1.0'), status: 400 },
  { title: 'no Host', bytes: head([...UPGRADE.slice(1), KEY, VERSION]), status: 400 },
  { title: 'two Hosts', bytes: head([...UPGRADE, 'Host: b', KEY, VERSION]), status: 400 },
  {
    title: 'an empty subprotocol',
    bytes: head([...UPGRADE, KEY, VERSION, 'Sec-WebSocket-Protocol: a,,b']),
    status: 400,
  },
  {
    title: 'a subprotocol with a space',
    bytes: head([...UPGRADE, KEY, VERSION, 'Sec-WebSocket-Protocol: a b']),
    status: 400,
  },
  {
    title: 'the same subprotocol twice',
    bytes: head([...UPGRADE, KEY, VERSION, 'Sec-WebSocket-Protocol: a, a']),
    status: 400,
  },
  { title: 'a field without a colon', bytes: head([...UPGRADE, KEY, VERSION, 'Nonsense']), status: 400 },
  { title: 'a folded field', bytes: head([...UPGRADE, KEY, VERSION, 'X-A: b', ' c']), status: 400 },
  {
    title: 'a path that climbs',
    bytes: head([...UPGRADE, KEY, VERSION], 'GET /ws/a/../../x HTTP/1.1'),
    status: 400,
  },
  {
    title: 'an encoded slash',
    bytes: head([...UPGRADE, KEY, VERSION], 'GET /ws/a/%2fx HTTP/1.1'),
    status: 400,
  },
  {
    title: 'an unknown service',
    bytes: head([...UPGRADE, KEY, VERSION], 'GET /ws/nobody/x HTTP/1.1'),
    status: 404,
  },
  {
    title: 'a head that is too large',
    bytes: head([...UPGRADE, KEY, VERSION, `X-A: ${'x'.repeat(20_000)}`]),
    status: 431,
  },
  { title: 'bytes that are no HTTP', bytes: '\x81\x05hello\r\n\r\n', status: 400 },
];

/** A frame as RFC 6455 section 5.2 has it, or not. */
export function frame(
  opcode: number,
  payload: Buffer | string = '',
  { fin = true, rsv = 0, masked = true, length }: FrameOptions = {},
): Buffer {
  const body = Buffer.from(payload);
  const declared = length ?? body.length;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  const size =
    declared < 126
      ? Buffer.from([first, bit | declared])
      : declared < 65_536
        ? Buffer.from([first, bit | 126, declared >> 8, declared & 0xff])
        : Buffer.concat([Buffer.from([first, bit | 127]), longLength(declared)]);
  if (!masked) return Buffer.concat([size, body]);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([size, mask, body.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

interface FrameOptions {
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** Instead of the true one. */
  readonly length?: number;
}

function longLength(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

const close = (code: number, reason = '') => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
};
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

export const FRAMES: readonly FrameRow[] = [
  { title: 'a frame without a mask', bytes: frame(TEXT, 'x', { masked: false }), code: 1002 },
  { title: 'the first reserved bit', bytes: frame(TEXT, 'x', { rsv: 4 }), code: 1002 },
  { title: 'the second reserved bit', bytes: frame(TEXT, 'x', { rsv: 2 }), code: 1002 },
  { title: 'the third reserved bit', bytes: frame(BINARY, 'x', { rsv: 1 }), code: 1002 },
  { title: 'a reserved opcode', bytes: frame(3, 'x'), code: 1002 },
  { title: 'a reserved control opcode', bytes: frame(11), code: 1002 },
  { title: 'a continuation of nothing', bytes: frame(CONTINUATION, 'x'), code: 1002 },
  {
    title: 'a text within a text',
    bytes: Buffer.concat([frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')]),
    code: 1002,
  },
  { title: 'a ping in fragments', bytes: frame(PING, 'x', { fin: false }), code: 1002 },
  { title: 'a ping of 126 bytes', bytes: frame(PING, 'x'.repeat(126)), code: 1002 },
  { title: 'a close of one byte', bytes: frame(CLOSE, 'x'), code: 1002 },
  { title: 'a close with 999', bytes: frame(CLOSE, close(999)), code: 1002 },
  { title: 'a close with 1004', bytes: frame(CLOSE, close(1004)), code: 1002 },
  { title: 'a close with 1005', bytes: frame(CLOSE, close(1005)), code: 1002 },
  { title: 'a close with 1006', bytes: frame(CLOSE, close(1006)), code: 1002 },
  { title: 'a close with 1015', bytes: frame(CLOSE, close(1015)), code: 1002 },
  { title: 'a close with 2999', bytes: frame(CLOSE, close(2999)), code: 1002 },
  { title: 'a close with 5000', bytes: frame(CLOSE, close(5000)), code: 1002 },
  { title: 'a close of 126 bytes', bytes: frame(CLOSE, close(1000, 'x'.repeat(124))), code: 1002 },
  {
    title: 'a reason that is no UTF-8',
    bytes: frame(CLOSE, Buffer.concat([close(1000), Buffer.from([0xff])])),
    code: 1007,
  },
  { title: 'a text that is no UTF-8', bytes: frame(TEXT, Buffer.from([0xc3, 0x28])), code: 1007 },
  { title: 'half a surrogate pair', bytes: frame(TEXT, Buffer.from([0xed, 0xa0, 0x80])), code: 1007 },
  {
    title: 'a text whose fragments make no UTF-8',
    bytes: Buffer.concat([frame(TEXT, Buffer.from([0xc3]), { fin: false }), frame(CONTINUATION, 'x')]),
    code: 1007,
  },
  { title: 'a message that is too large', bytes: frame(BINARY, '', { length: 200_000 }), code: 1009 },
  {
    title: 'a length beyond all numbers',
    bytes: Buffer.concat([Buffer.from([0x82, 0xff]), Buffer.alloc(8, 0xff)]),
    code: 1009,
  },
  {
    title: 'a message too large in fragments',
    bytes: Buffer.concat([
      frame(BINARY, Buffer.alloc(60_000), { fin: false }),
      frame(CONTINUATION, Buffer.alloc(60_000)),
    ]),
    code: 1009,
  },
  { title: 'a close without a code', bytes: frame(CLOSE), code: 1005 },
  { title: 'a close with 1000', bytes: frame(CLOSE, close(1000, 'done')), code: 1000 },
  { title: 'a close with 1014', bytes: frame(CLOSE, close(1014)), code: 1014 },
  {
    title: 'frames behind a close',
    bytes: Buffer.concat([frame(CLOSE, close(3001)), frame(TEXT, 'late'), frame(3)]),
    code: 3001,
  },
  {
    title: 'a pong that nobody asked for',
    bytes: Buffer.concat([frame(PONG, 'x'), frame(CLOSE, close(1000))]),
    code: 1000,
  },
  {
    title: 'a ping between fragments',
    bytes: Buffer.concat([
      frame(TEXT, 'a', { fin: false }),
      frame(PING, 'p'),
      frame(CONTINUATION, 'b'),
      frame(CLOSE, close(1000)),
    ]),
    code: 1000,
  },
];

const switching = (accept: string, ...fields: string[]) =>
  `HTTP/1.1 101 Switching Protocols\r\n${['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`, ...fields].join('\r\n')}\r\n\r\n`;
const behind = (bytes: Buffer) => (accept: string) => Buffer.concat([Buffer.from(switching(accept)), bytes]);
const plain = { masked: false };

export const UPSTREAMS: readonly UpstreamRow[] = [
  { title: 'a wrong accept', answer: () => switching('AAAAAAAAAAAAAAAAAAAAAAAAAAA='), managed: 502 },
  {
    title: 'no accept',
    answer: () => 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    managed: 502,
  },
  {
    title: 'another protocol',
    answer: (accept) => switching(accept).replace('websocket', 'irc'),
    managed: 502,
  },
  {
    title: 'a subprotocol that was not offered',
    answer: (accept) => switching(accept, 'Sec-WebSocket-Protocol: v9'),
    managed: 502,
  },
  {
    title: 'an extension that was not offered',
    answer: (accept) => switching(accept, 'Sec-WebSocket-Extensions: permessage-deflate'),
    managed: 502,
  },
  { title: 'no HTTP', answer: () => 'SSH-2.0-OpenSSH\r\n', managed: 502 },
  {
    title: 'a head that never ends',
    answer: () => `HTTP/1.1 101 X\r\nX: ${'x'.repeat(100_000)}`,
    managed: 502,
  },
  { title: 'nothing, and the end', answer: () => '', managed: 502 },
  { title: 'half a head, and the end', answer: () => 'HTTP/1.1 101 Swi', managed: 502 },
  { title: 'a plain response', answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', managed: 200 },
  { title: 'a response without a body', answer: () => 'HTTP/1.1 204 No Content\r\n\r\n', managed: 204 },
  {
    title: 'a redirect',
    answer: () => 'HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n',
    managed: 302,
  },
  { title: 'a masked frame', answer: behind(frame(TEXT, 'x')), managed: 1014 },
  { title: 'a reserved bit', answer: behind(frame(TEXT, 'x', { ...plain, rsv: 4 })), managed: 1014 },
  {
    title: 'a text that is no UTF-8',
    answer: behind(frame(TEXT, Buffer.from([0xff]), plain)),
    managed: 1014,
  },
  {
    title: 'a message that is too large',
    answer: behind(frame(BINARY, '', { ...plain, length: 200_000 })),
    managed: 1014,
  },
  { title: 'a close with 1006', answer: behind(frame(CLOSE, close(1006), plain)), managed: 1014 },
  { title: 'a close with 4000', answer: behind(frame(CLOSE, close(4000), plain)), managed: 4000 },
  { title: 'the end without a close', answer: behind(Buffer.alloc(0)), managed: 1014 },
  {
    title: 'half a frame, and the end',
    answer: behind(frame(TEXT, 'x', { ...plain, length: 100 })),
    managed: 1014,
  },
];
