import { createHash } from 'node:crypto';
import { BINARY, type Case, ping, TEXT, text } from '../case.js';
import { named } from '../receiver.js';

/** Autobahn sends 1000 of each. */
const MESSAGES = 10;
const SIZES = [16, 64, 256, 1024, 4096, 16_384, 65_536, 131_072];
/** Fragments of the compressed message, for the largest size. */
const FRAGMENTS = [256, 4096, 32_768];
const OFFERS: readonly (readonly [group: string, options: object])[] = [
  ['13.1', {}],
  ['13.2', { requestNoContextTakeover: true }],
  ['13.3', { requestMaxWindowBits: 9 }],
  ['13.4', { requestMaxWindowBits: 15 }],
  ['13.5', { requestNoContextTakeover: true, requestMaxWindowBits: 9 }],
  ['13.6', { requestNoContextTakeover: true, requestMaxWindowBits: 15 }],
  ['13.7', { noContextTakeover: true, maxWindowBits: 10 }],
];
const PROTOCOL_ERROR = [1002];

/** Bytes that are the same in every run, and as good as random. */
function noise(size: number, seed: string): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i * 32 < size; i++) parts.push(createHash('sha256').update(`${seed} ${i}`).digest());
  return Buffer.concat(parts).subarray(0, size);
}

const SOURCES: readonly (readonly [
  kind: string,
  opcode: number,
  make: (size: number, seed: string) => Buffer,
])[] = [
  [
    'JSON',
    TEXT,
    (size, seed) =>
      Buffer.from(
        `{"seed":"${seed}","bids":[[41000.5,0.25]],"asks":[[41001,3]]},`.repeat(size / 50 + 1),
      ).subarray(0, size),
  ],
  ['noise', BINARY, noise],
  ['base64', TEXT, (size, seed) => Buffer.from(noise(size, seed).toString('base64')).subarray(0, size)],
];

function exchange(id: string, deflate: object, source: number, size: number, fragment?: number): Case {
  const [kind, opcode, make] = SOURCES[source % SOURCES.length] ?? ['noise', BINARY, noise];
  const payloads = Array.from({ length: MESSAGES }, (_, i) => make(size, `${id} ${i}`));
  return {
    id,
    title: `${MESSAGES} messages of ${size} bytes of ${kind}${fragment === undefined ? '' : `, fragments of ${fragment}`}`,
    deflate,
    steps: payloads.map((compress) => ({
      compress,
      opcode,
      ...(fragment === undefined ? {} : { fragment }),
    })),
    ok: payloads.map((each) => `${opcode === TEXT ? 'text' : 'binary'} ${named(each)}`),
    limit: 20_000,
  };
}

/** What a compressed connection must not take (RFC 7692 section 6). */
function wrongFrames(): Case[] {
  const refused = { deflate: {}, ok: [], close: PROTOCOL_ERROR };
  const garbage = Buffer.from('ffffffffffff', 'hex');
  return [
    {
      id: '12.4.1',
      title: 'RSV1 on a continuation',
      steps: [text('a', { fin: false }), { opcode: 0, payload: Buffer.from('b'), rsv: 4 }],
      ...refused,
    },
    { id: '12.4.2', title: 'RSV1 on a ping', steps: [{ ...ping('a'), rsv: 4 }], ...refused },
    { id: '12.4.3', title: 'RSV2 on a text', steps: [text('a', { rsv: 2 })], ...refused },
    {
      id: '12.4.4',
      title: 'not DEFLATE',
      steps: [text(garbage, { rsv: 4 })],
      ...refused,
      close: [1002, 1007],
    },
    { id: '12.4.5', title: 'uncompressed messages', deflate: {}, steps: [text('Hello')], ok: ['text Hello'] },
    {
      id: '12.4.6',
      title: 'compressed text that is not UTF-8',
      deflate: {},
      steps: [{ compress: Buffer.from('cebaedbfbf', 'hex'), opcode: TEXT }],
      ok: [],
      close: [1007],
    },
    {
      id: '12.4.7',
      title: 'ping between compressed fragments',
      deflate: {},
      steps: [
        ping('before'),
        { compress: Buffer.alloc(5000, 'ab'), opcode: TEXT, fragment: 10 },
        ping('after'),
      ],
      ok: ['pong before', `text ${named(Buffer.alloc(5000, 'ab'))}`, 'pong after'],
      nonStrict: [['pong before', 'pong after', `text ${named(Buffer.alloc(5000, 'ab'))}`]],
    },
  ];
}

/** Groups 12 and 13: permessage-deflate (RFC 7692). */
export const DEFLATE: readonly Case[] = [
  ...SOURCES.flatMap((_, source) => [
    ...SIZES.map((size, i) => exchange(`12.${source + 1}.${i + 1}`, {}, source, size)),
    ...FRAGMENTS.map((fragment, i) =>
      exchange(`12.${source + 1}.${SIZES.length + i + 1}`, {}, source, 131_072, fragment),
    ),
  ]),
  ...wrongFrames(),
  ...OFFERS.flatMap(([group, options]) => [
    ...SIZES.map((size, i) => exchange(`${group}.${i + 1}`, options, i, size)),
    exchange(`${group}.${SIZES.length + 1}`, options, 0, 65_536, 4096),
  ]),
];
