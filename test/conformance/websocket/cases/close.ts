import { type Case, close, closePayload, continuation, ping, text } from '../case.js';
import { named } from '../receiver.js';

const VALID_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999];
const UNDEFINED_CODES = [5000, 65_535];
const normal = close(closePayload(1000));

function order(): Case[] {
  const large = Buffer.alloc(256 * 1024, '*');
  const after = (id: string, title: string, steps: Case['steps']): Case => ({
    id,
    title,
    steps,
    ok: [],
    close: [1000],
  });
  return [
    { id: '7.1.1', title: 'text, then a close', steps: [text('Hello')], ok: ['text Hello'] },
    after('7.1.2', 'two closes', [normal, normal]),
    after('7.1.3', 'ping after the close', [normal, ping()]),
    after('7.1.4', 'text after the close', [normal, text('Hello')]),
    after('7.1.5', 'close between fragments', [
      text('fragment1', { fin: false }),
      normal,
      continuation('fragment2'),
    ]),
    {
      id: '7.1.6',
      title: '256 KiB of text, a close, a ping',
      steps: [text(large), normal, ping()],
      ok: [`text ${named(large)}`],
      nonStrict: [[]],
      close: [1000],
      informational: true,
    },
    {
      // Beyond Autobahn: the answer to what was sent before a close comes before the answer to the close.
      id: '7.1.7',
      title: 'text and a close in one packet',
      steps: [text('Hello'), normal],
      ok: ['text Hello'],
      nonStrict: [[]],
      close: [1000],
    },
  ];
}

function payloads(): Case[] {
  const answered = (id: string, title: string, payload: Buffer, code: number | 'none'): Case => ({
    id,
    title,
    steps: [close(payload)],
    ok: [],
    close: [code],
  });
  return [
    answered('7.3.1', 'close without a payload', Buffer.alloc(0), 'none'),
    answered('7.3.2', 'close with one byte', Buffer.from([3]), 1002),
    answered('7.3.3', 'close with a code', closePayload(1000), 1000),
    answered('7.3.4', 'close with a code and a reason', closePayload(1000, 'Hello'), 1000),
    answered('7.3.5', 'close with the longest reason', closePayload(1000, '*'.repeat(123)), 1000),
    answered('7.3.6', 'close with a reason that is too long', closePayload(1000, '*'.repeat(124)), 1002),
    {
      ...answered(
        '7.5.1',
        'close with a reason that is not UTF-8',
        closePayload(1000, Buffer.from('cebaedbfbf', 'hex')),
        1007,
      ),
      close: [1007, 1002],
    },
  ];
}

function codes(): Case[] {
  const one = (group: string, list: readonly number[], more: (code: number) => Partial<Case>): Case[] =>
    list.map((code, index) => ({
      id: `${group}.${index + 1}`,
      title: `close with ${code}`,
      steps: [close(closePayload(code))],
      ok: [],
      ...more(code),
    }));
  return [
    ...one('7.7', VALID_CODES, (code) => ({ close: [code] })),
    ...one('7.9', INVALID_CODES, () => ({ close: [1002] })),
    ...one('7.13', UNDEFINED_CODES, (code) => ({ close: [1002, code], informational: true })),
  ];
}

/** Group 7: the closing handshake (RFC 6455 sections 5.5.1, 7.1 and 7.4). */
export const CLOSING: readonly Case[] = [...order(), ...payloads(), ...codes()];
