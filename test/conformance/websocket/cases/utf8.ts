import { type Case, fragmented, TEXT, text } from '../case.js';
import { named } from '../receiver.js';

const INVALID = [1007];
const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const KOSME = Buffer.from('κ\u1f79σμε');
const VALID_TEXT = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');

/** Every byte of a range, each followed by a blank (a start of a sequence that never goes on). */
const lonely = (first: number, last: number) =>
  Buffer.concat(Array.from({ length: last - first + 1 }, (_, i) => Buffer.from([first + i, 0x20])));
const range = (first: number, last: number) =>
  Buffer.from(Array.from({ length: last - first + 1 }, (_, i) => first + i));

/** Sequences without their last byte. */
const CUT = 'c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf';

/** The last two code points of each plane, which are no characters and yet valid. */
const nonCharacters = Array.from({ length: 17 }, (_, plane) => [
  plane * 0x10000 + 0xfffe,
  plane * 0x10000 + 0xffff,
])
  .flat()
  .map((point) => Buffer.from(String.fromCodePoint(point)).toString('hex'))
  .join(' ');

/** Group, what it is about, whether its byte sequences are UTF-8 (RFC 3629), and the sequences. */
const SEQUENCES: readonly (readonly [
  group: string,
  title: string,
  valid: boolean,
  sequences: readonly Buffer[],
])[] = [
  [
    '6.5',
    'valid text',
    true,
    [KOSME, VALID_TEXT, Buffer.from('\u0000'), Buffer.from('😀'), Buffer.from('水𐍈')],
  ],
  ['6.7', 'first code point of a length', true, all('00 c280 e0a080 f0908080')],
  ['6.8', 'first code point of five and six bytes', false, all('f888808080 fc8480808080')],
  ['6.9', 'last code point of a length', true, all('7f dfbf efbfbf f48fbfbf')],
  ['6.10', 'last code point of four to six bytes', false, all('f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf')],
  ['6.11', 'boundaries', true, all('ed9fbf ee8080 efbfbd f48fbfbf')],
  ['6.11b', 'past the last code point', false, all('f4908080')],
  [
    '6.12',
    'continuation bytes that continue nothing',
    false,
    [...all('80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf'), range(0x80, 0xbf)],
  ],
  [
    '6.13',
    'starts that are not continued',
    false,
    [lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb), lonely(0xfc, 0xfd)],
  ],
  ['6.14', 'the last byte is missing', false, all(CUT)],
  ['6.15', 'the same one after another', false, [hex(CUT)]],
  ['6.16', 'bytes that occur nowhere', false, all('fe ff fefeffff')],
  ['6.17', 'overlong solidus', false, all('c0af e080af f08080af f8808080af fc80808080af')],
  ['6.18', 'longest overlong', false, all('c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf')],
  ['6.19', 'overlong NUL', false, all('c080 e08080 f0808080 f880808080 fc8080808080')],
  ['6.20', 'surrogate', false, all('eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf')],
  [
    '6.21',
    'surrogates in pairs',
    false,
    all(
      'eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf',
    ),
  ],
  ['6.22', 'code points that are no characters', true, all(nonCharacters)],
  ['6.23', 'specials', true, all('efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf')],
];

function all(list: string): Buffer[] {
  return list.split(' ').map((each) => Buffer.from(each, 'hex'));
}

function verdictOf(payload: Buffer, valid: boolean): Pick<Case, 'ok' | 'close'> {
  return valid ? { ok: [`text ${named(payload)}`] } : { ok: [], close: INVALID };
}

function fragmentsOfText(): Case[] {
  const wrong = Buffer.concat([KOSME, hex('edbfbf'), Buffer.from('edited')]);
  const empty = text('', { fin: false });
  return [
    { id: '6.1.1', title: 'empty text', steps: [text('')], ok: ['text '] },
    {
      id: '6.1.2',
      title: 'three empty fragments',
      steps: [empty, { opcode: 0, fin: false }, { opcode: 0 }],
      ok: ['text '],
    },
    {
      id: '6.1.3',
      title: 'three fragments, two of them empty',
      steps: [empty, { opcode: 0, fin: false, payload: Buffer.from('middle') }, { opcode: 0 }],
      ok: ['text middle'],
    },
    { id: '6.2.1', title: 'valid text', steps: [text(VALID_TEXT)], ...verdictOf(VALID_TEXT, true) },
    {
      id: '6.2.2',
      title: 'cut between characters',
      steps: fragmented(TEXT, VALID_TEXT, Buffer.byteLength('Hello-µ@ßöä')),
      ...verdictOf(VALID_TEXT, true),
    },
    {
      id: '6.2.3',
      title: 'fragments of a byte',
      steps: fragmented(TEXT, VALID_TEXT, 1),
      ...verdictOf(VALID_TEXT, true),
    },
    {
      id: '6.2.4',
      title: 'fragments of a byte',
      steps: fragmented(TEXT, KOSME, 1),
      ...verdictOf(KOSME, true),
    },
    { id: '6.3.1', title: 'invalid in the middle', steps: [text(wrong)], ...verdictOf(wrong, false) },
    {
      id: '6.3.2',
      title: 'invalid in the middle, fragments of a byte',
      steps: fragmented(TEXT, wrong, 1),
      ...verdictOf(wrong, false),
    },
  ];
}

/** Invalid bytes early in a message: failing at once is strict, failing at its end is allowed. */
function failFast(): Case[] {
  const pause = { pause: 100, event: 'still open' };
  const late = { ok: [], nonStrict: [['still open'], ['still open', 'still open']], close: INVALID };
  const last = Buffer.from('edited');
  const parts = (cut: number): readonly [Buffer, Buffer] => {
    const bytes = Buffer.concat([KOSME, hex('f4908080'), last]);
    return [bytes.subarray(0, cut), bytes.subarray(cut)];
  };
  const [valid, rest] = parts(KOSME.length);
  const [upTo, after] = parts(KOSME.length + 2);
  const frames = (first: Buffer, second: Buffer) => [
    text(first, { fin: false }),
    { opcode: 0, fin: false, payload: second },
    pause,
    { opcode: 0, payload: last },
  ];
  /** One frame that stays unfinished for a while: its mask is zero. */
  const packets = (first: Buffer, second: Buffer) => [
    {
      raw: Buffer.concat([Buffer.from([0x81, 0x80 + first.length + second.length]), Buffer.alloc(4), first]),
    },
    pause,
    { raw: second },
  ];
  return [
    { id: '6.4.1', title: 'invalid second fragment of three', steps: frames(valid, rest), ...late },
    { id: '6.4.2', title: 'the same, cut within the sequence', steps: frames(upTo, after), ...late },
    { id: '6.4.3', title: 'invalid end of a frame', steps: packets(valid, rest), ...late },
    { id: '6.4.4', title: 'invalid in the first part of a frame', steps: packets(upTo, after), ...late },
  ];
}

/** κόσμε, cut short at every byte. */
function prefixes(): Case[] {
  return Array.from({ length: KOSME.length }, (_, index) => {
    const payload = KOSME.subarray(0, index + 1);
    const valid = [2, 5, 7, 9, 11].includes(payload.length);
    return {
      id: `6.6.${index + 1}`,
      title: `the first ${payload.length} bytes of a text`,
      steps: [text(payload)],
      ...verdictOf(payload, valid),
    };
  });
}

/** Group 6: texts are UTF-8 (RFC 6455 section 8.1). */
export const UTF8: readonly Case[] = [
  ...fragmentsOfText(),
  ...failFast(),
  ...prefixes(),
  ...SEQUENCES.flatMap(([group, title, valid, sequences]) =>
    sequences.map(
      (payload, index): Case => ({
        id: `${group}.${index + 1}`,
        title,
        steps: [text(payload)],
        ...verdictOf(payload, valid),
      }),
    ),
  ),
];
