import { type Case, close, closePayload } from './case.js';
import { CLOSING } from './cases/close.js';
import { DEFLATE } from './cases/deflate.js';
import { FRAMING } from './cases/framing.js';
import { LIMITS } from './cases/limits.js';
import { UTF8 } from './cases/utf8.js';
import { ConformanceClient } from './client.js';
import type { Codec } from './codec.js';

/** The groups, which are Autobahn's; 14 is beyond it. */
export const GROUPS: ReadonlyMap<string, string> = new Map([
  ['1', 'framing'],
  ['2', 'pings and pongs'],
  ['3', 'reserved bits'],
  ['4', 'opcodes'],
  ['5', 'fragmentation'],
  ['6', 'UTF-8'],
  ['7', 'close'],
  ['9', 'limits'],
  ['10', 'many fragments'],
  ['12', 'compression'],
  ['13', 'compression, parameters'],
  ['14', 'masks and lengths'],
]);

export const CASES: readonly Case[] = [...FRAMING, ...UTF8, ...CLOSING, ...LIMITS, ...DEFLATE];

/** How a server stood a case. */
export interface Verdict {
  readonly verdict: 'OK' | 'NON-STRICT' | 'INFORMATIONAL' | 'FAILED';
  /** The server's close code; `none` without one; `dropped` for an end without a close, `open` for no end. */
  readonly close: string;
  /** What it agreed to of the offered compression. */
  readonly compression: string;
  /** What came, where that is not what was to come. */
  readonly events: readonly string[];
}

const PATIENCE = 5000;
const AT_A_TIME = 16;

/** The verdict in one line, for a comparison. */
export function line({ verdict, close, compression, events }: Verdict): string {
  const seen =
    events.length === 0
      ? ''
      : ` [${events
          .map((each) => each.slice(0, 60))
          .join(' | ')
          .slice(0, 200)}]`;
  return `${verdict}, close ${close}${compression === '' ? '' : `, agreed: ${compression}`}${seen}`;
}

/** Runs cases against a WebSocket server that echoes, several at a time. */
export async function runCases(codec: Codec, url: string, cases = CASES): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>(cases.map(({ id }) => [id, FAILED]));
  const left = cases.values();
  const work = async () => {
    for (const each of left) verdicts.set(each.id, await runCase(codec, new URL(url), each));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return verdicts;
}

const FAILED: Verdict = { verdict: 'FAILED', close: 'open', compression: '', events: ['not run'] };

async function runCase(codec: Codec, url: URL, test: Case): Promise<Verdict> {
  const deadline = performance.now() + (test.limit ?? PATIENCE);
  let client: ConformanceClient;
  try {
    client = await ConformanceClient.open(codec, url, test.deflate);
  } catch (error) {
    return { ...FAILED, events: [String(error)] };
  }
  try {
    const { received } = client;
    await client.perform(test, deadline);
    if (test.close === undefined) {
      await client.until(() => received.events.length >= test.ok.length, deadline);
      if (!client.finished) client.send(close(closePayload(1000)));
    }
    await client.until(() => false, deadline);
    await client.untilEnd(deadline);
    return judged(test, client);
  } finally {
    client.destroy();
  }
}

function judged(test: Case, client: ConformanceClient): Verdict {
  const { received, ended, agreed = 'none' } = client;
  const { events, closeCode } = received;
  const close = closeCode ?? (ended ? 'dropped' : 'open');
  const same = (expected: readonly string[]) =>
    expected.length === events.length && expected.every((each, i) => each === events[i]);
  const strict = same(test.ok);
  const lenient = test.nonStrict?.some(same) === true;
  // A server that fails a connection need not send a close (RFC 6455 section 7.1.7); it has to end TCP.
  const wanted =
    test.close === undefined
      ? close === 1000
      : close === 'dropped' || test.close.some((each) => each === close);
  let verdict: Verdict['verdict'] = 'FAILED';
  if (test.informational === true) verdict = 'INFORMATIONAL';
  else if (wanted && ended) verdict = strict ? 'OK' : lenient ? 'NON-STRICT' : 'FAILED';
  return {
    verdict,
    close: `${close}${ended ? '' : ', TCP open'}`,
    compression: test.deflate === undefined ? '' : agreed,
    events: strict ? [] : events.slice(0, 20),
  };
}
