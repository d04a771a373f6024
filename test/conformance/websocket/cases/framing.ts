import {
  BINARY,
  binary,
  type Case,
  continuation,
  fragmented,
  ping,
  pong,
  type Step,
  TEXT,
  text,
} from '../case.js';
import { named } from '../receiver.js';

const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536] as const;
const PROTOCOL_ERROR = [1002];

/** Group 1: messages in one frame (RFC 6455 sections 5.2 and 5.6). */
function singleFrames(): Case[] {
  return [TEXT, BINARY].flatMap((opcode, kind) => {
    const one = (id: number, size: number, chop?: number): Case => {
      const payload = Buffer.alloc(size, opcode === TEXT ? '*' : 0xfe);
      return {
        id: `1.${kind + 1}.${id}`,
        title: `${kind === 0 ? 'text' : 'binary'} of ${size} bytes${chop === undefined ? '' : ` in packets of ${chop}`}`,
        ...(chop === undefined ? {} : { chop }),
        steps: [{ opcode, payload }],
        ok: [`${kind === 0 ? 'text' : 'binary'} ${named(payload)}`],
      };
    };
    return [...SIZES.map((size, index) => one(index + 1, size)), one(8, 65_536, 997)];
  });
}

/** Group 2: pings and pongs (sections 5.5.2 and 5.5.3). */
function pings(): Case[] {
  const bytes = Buffer.from('00ff fe fdfc fb00ff'.replaceAll(' ', ''), 'hex');
  const long = Buffer.alloc(125, 0xfe);
  const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
  return [
    { id: '2.1', title: 'ping without a payload', steps: [ping()], ok: ['pong '] },
    { id: '2.2', title: 'ping with a text', steps: [ping('Hello, world!')], ok: ['pong Hello, world!'] },
    { id: '2.3', title: 'ping with bytes', steps: [ping(bytes)], ok: [`pong ${named(bytes)}`] },
    { id: '2.4', title: 'ping of 125 bytes', steps: [ping(long)], ok: [`pong ${named(long)}`] },
    {
      id: '2.5',
      title: 'ping of 126 bytes',
      steps: [ping(Buffer.alloc(126, 0xfe))],
      ok: [],
      close: PROTOCOL_ERROR,
    },
    {
      id: '2.6',
      title: 'ping of 125 bytes, a byte at a time',
      chop: 1,
      steps: [ping(long)],
      ok: [`pong ${named(long)}`],
    },
    { id: '2.7', title: 'unasked pong', steps: [pong()], ok: [] },
    { id: '2.8', title: 'unasked pong with a payload', steps: [pong('unasked')], ok: [] },
    {
      id: '2.9',
      title: 'unasked pong, then a ping',
      steps: [pong('unasked'), ping('asked')],
      ok: ['pong asked'],
    },
    { id: '2.10', title: 'ten pings', steps: ten.map(ping), ok: ten.map((each) => `pong ${each}`) },
    {
      id: '2.11',
      title: 'ten pings, a byte at a time',
      chop: 1,
      steps: ten.map(ping),
      ok: ten.map((each) => `pong ${each}`),
    },
  ];
}

/** Group 3: reserved bits without an extension (section 5.2). */
function reservedBits(): Case[] {
  const refused = (id: string, title: string, steps: readonly Step[], more: Partial<Case> = {}): Case => {
    return { id, title, steps, ok: [], close: PROTOCOL_ERROR, ...more };
  };
  const afterText: Partial<Case> = { ok: ['text Hello'], nonStrict: [[]] };
  const first = text('Hello');
  return [
    refused('3.1', 'RSV 1 with a text', [text('Hello', { rsv: 1 })]),
    refused('3.2', 'text, then RSV 2, then a ping', [first, text('Hello', { rsv: 2 }), ping()], afterText),
    refused('3.3', 'the same in packets of a frame', [first, text('Hello', { rsv: 3 }), ping()], {
      ...afterText,
      chop: 'frames',
    }),
    refused('3.4', 'the same, a byte at a time', [first, text('Hello', { rsv: 4 }), ping()], {
      ...afterText,
      chop: 1,
    }),
    refused('3.5', 'RSV 5 with a binary', [{ ...binary(Buffer.from('00ff', 'hex')), rsv: 5 }]),
    refused('3.6', 'RSV 6 with a ping', [{ ...ping('Hello'), rsv: 6 }]),
    refused('3.7', 'RSV 7 with a close', [{ opcode: 8, payload: Buffer.from([3, 232]), rsv: 7 }]),
  ];
}

/** Group 4: reserved opcodes (section 5.2). */
function reservedOpcodes(): Case[] {
  return [
    [3, 4, 5, 6, 7],
    [11, 12, 13, 14, 15],
  ].flatMap((opcodes, kind) =>
    opcodes.map((opcode, index): Case => {
      const alone = index < 2;
      const frame = { opcode, payload: Buffer.from(index % 2 === 0 ? '' : 'reserved opcode payload') };
      return {
        id: `4.${kind + 1}.${index + 1}`,
        title: `opcode ${opcode}${alone ? '' : ' after a text'}`,
        ...(index === 4 ? { chop: 1 } : {}),
        steps: alone ? [frame] : [text('Hello'), frame, ping()],
        ok: alone ? [] : ['text Hello'],
        ...(alone ? {} : { nonStrict: [[]] }),
        close: PROTOCOL_ERROR,
      };
    }),
  );
}

/** Group 5: fragments, and control frames between them (section 5.4). */
function fragments(): Case[] {
  const two = [text('fragment1', { fin: false }), continuation('fragment2')];
  const withPing = [text('fragment1', { fin: false }), ping('between'), continuation('fragment2')];
  const whole = 'text fragment1fragment2';
  const orphan = (fin: boolean) => [continuation('non-continuation', fin), text('Hello')];
  const chops = [undefined, 'frames', 1] as const;
  const thrice = (first: number, title: string, common: Omit<Case, 'id' | 'title'>): Case[] =>
    chops.map((chop, index) => ({
      ...common,
      id: `5.${first + index}`,
      title: `${title}${['', ', packets of a frame', ', a byte at a time'][index]}`,
      ...(chop === undefined ? {} : { chop }),
    }));
  const refused = { ok: [], close: PROTOCOL_ERROR };
  const five = (pause: readonly Step[]) => [
    text('f1', { fin: false }),
    continuation('f2', false),
    ping('first'),
    ...pause,
    continuation('f3', false),
    continuation('f4', false),
    ping('second'),
    continuation('f5'),
  ];
  const fiveAnswers = ['pong first', 'pong second', 'text f1f2f3f4f5'];
  return [
    {
      id: '5.1',
      title: 'ping in two fragments',
      steps: [{ ...ping('a'), fin: false }, continuation('b')],
      ...refused,
    },
    {
      id: '5.2',
      title: 'pong in two fragments',
      steps: [{ ...pong('a'), fin: false }, continuation('b')],
      ...refused,
    },
    ...thrice(3, 'text in two fragments', { steps: two, ok: [whole] }),
    ...thrice(6, 'text in two fragments, a ping between', { steps: withPing, ok: ['pong between', whole] }),
    ...thrice(9, 'final continuation of nothing, then a text', { steps: orphan(true), ...refused }),
    ...thrice(12, 'continuation of nothing, then a text', { steps: orphan(false), ...refused }),
    {
      id: '5.15',
      title: 'text in two fragments, a continuation of nothing, a text',
      steps: [...two, continuation('fragment3', false), text('fragment4')],
      ok: [whole],
      nonStrict: [[]],
      close: PROTOCOL_ERROR,
    },
    {
      id: '5.16',
      title: 'continuation of nothing and a text, twice',
      steps: [...orphan(false), ...orphan(false)],
      ...refused,
    },
    {
      id: '5.17',
      title: 'final continuation of nothing and a text, twice',
      steps: [...orphan(true), ...orphan(true)],
      ...refused,
    },
    {
      id: '5.18',
      title: 'a second text in place of the continuation',
      steps: [text('fragment1', { fin: false }), text('fragment2')],
      ...refused,
    },
    {
      id: '5.19',
      title: 'five fragments, two pings, a pause',
      steps: five([{ pause: 100 }]),
      ok: fiveAnswers,
    },
    { id: '5.20', title: 'five fragments, two pings', steps: five([]), ok: fiveAnswers },
  ];
}

/** Group 10: a message in many fragments (section 5.4). */
function manyFragments(): Case[] {
  const payload = Buffer.alloc(65_536, '*');
  return [
    {
      id: '10.1.1',
      title: '64 KiB text in fragments of 1300 bytes',
      steps: fragmented(TEXT, payload, 1300),
      ok: [`text ${named(payload)}`],
    },
  ];
}

/** Beyond Autobahn: masks and lengths (sections 5.1 and 5.2). */
function masksAndLengths(): Case[] {
  const mask = Buffer.alloc(4);
  const raw = (hex: string, payload = '') => ({
    raw: Buffer.concat([Buffer.from(hex, 'hex'), mask, Buffer.from(payload)]),
  });
  return [
    {
      id: '14.1',
      title: 'unmasked text',
      steps: [text('Hello', { mask: false })],
      ok: [],
      close: PROTOCOL_ERROR,
    },
    {
      id: '14.2',
      title: 'unmasked ping',
      steps: [{ ...ping('Hello'), mask: false }],
      ok: [],
      close: PROTOCOL_ERROR,
    },
    {
      id: '14.3',
      title: 'length of 5 bytes written with 16 bits',
      steps: [raw('81fe0005', 'Hello')],
      ok: ['text Hello'],
      informational: true,
    },
    {
      id: '14.4',
      title: 'length of 5 bytes written with 64 bits',
      steps: [raw('81ff0000000000000005', 'Hello')],
      ok: ['text Hello'],
      informational: true,
    },
    {
      id: '14.5',
      title: 'length with the highest bit set',
      steps: [raw('81ff8000000000000005', 'Hello')],
      ok: [],
      close: [1002, 1009],
    },
    {
      id: '14.6',
      title: 'length of 2^62 bytes',
      steps: [raw('82ff4000000000000000', 'Hello')],
      ok: [],
      close: [1002, 1009],
    },
  ];
}

export const FRAMING: readonly Case[] = [
  ...singleFrames(),
  ...pings(),
  ...reservedBits(),
  ...reservedOpcodes(),
  ...fragments(),
  ...manyFragments(),
  ...masksAndLengths(),
];
