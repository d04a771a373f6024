import { BINARY, type Case, type Chop, fragmented, type Step, TEXT } from '../case.js';
import { named } from '../receiver.js';

const KINDS = [
  ['text', TEXT],
  ['binary', BINARY],
] as const;
/** Autobahn goes on to 16 MiB. */
const MESSAGES = [64, 256, 1024, 4096].map((kib) => kib * 1024);
/** Autobahn cuts up 4 MiB. */
const FRAGMENTED = 1024 * 1024;
const FRAGMENTS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
/** Autobahn cuts up 1 MiB. */
const CHOPPED = 256 * 1024;
const CHOPS = [64, 128, 256, 512, 1024, 2048];
/** Autobahn sends 1000. */
const ROUND_TRIPS = 200;
const ROUND_TRIP_SIZES = [0, 16, 64, 256, 1024, 4096];
const LIMIT = 20_000;

/** Bytes that differ from place to place, so that a mix-up shows. */
function payloadOf(opcode: number, size: number): Buffer {
  const letters = Buffer.from('The quick brown fox jumps over the lazy dog, 0123456789 times. ');
  const payload = Buffer.alloc(size);
  for (let i = 0; i < size; i++)
    payload[i] = (letters[(i + (i >> 10)) % letters.length] ?? 0) | (opcode === TEXT ? 0 : 128);
  return payload;
}

function sized(
  id: string,
  title: string,
  payload: Buffer,
  kind: string,
  steps: readonly Step[],
  chop?: Chop,
): Case {
  const ok = [`${kind} ${named(payload)}`];
  return { id, title, steps, ok, limit: LIMIT, ...(chop === undefined ? {} : { chop }) };
}

/** Group 9: large messages, many fragments, small packets, many messages. Smaller than Autobahn's where said above. */
export const LIMITS: readonly Case[] = KINDS.flatMap(([kind, opcode], index) => [
  ...MESSAGES.map((size, i) => {
    const payload = payloadOf(opcode, size);
    return sized(`9.${index + 1}.${i + 1}`, `${kind} of ${size} bytes`, payload, kind, [{ opcode, payload }]);
  }),
  ...FRAGMENTS.map((fragment, i) => {
    const payload = payloadOf(opcode, FRAGMENTED);
    const title = `${kind} of ${FRAGMENTED} bytes in fragments of ${fragment}`;
    return sized(`9.${index + 3}.${i + 1}`, title, payload, kind, fragmented(opcode, payload, fragment));
  }),
  ...CHOPS.map((chop, i) => {
    const payload = payloadOf(opcode, CHOPPED);
    const title = `${kind} of ${CHOPPED} bytes in packets of ${chop}`;
    return sized(`9.${index + 5}.${i + 1}`, title, payload, kind, [{ opcode, payload }], chop);
  }),
  ...ROUND_TRIP_SIZES.map((size, i): Case => {
    const payload = payloadOf(opcode, size);
    const event = `${kind} ${named(payload)}`;
    return {
      id: `9.${index + 7}.${i + 1}`,
      title: `${ROUND_TRIPS} times ${kind} of ${size} bytes, there and back`,
      steps: Array.from({ length: ROUND_TRIPS }, (_, n) => [{ opcode, payload }, { events: n + 1 }]).flat(),
      ok: Array.from({ length: ROUND_TRIPS }, () => event),
      limit: LIMIT,
    };
  }),
]);
