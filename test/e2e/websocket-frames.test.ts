import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { catalogue } from '../../plugins/index.js';
import {
  openClient,
  silent,
  startWebSocketUpstream,
  type WebSocketUpstream,
} from '../plugins/ws-proxy/sockets.js';
import { type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { frame } from './websocket-malformed-rows.js';

/** A message in fragments, with control frames between them; or a control frame alone. */
interface Item {
  readonly opcode: 1 | 2 | 9 | 10;
  readonly fragments: readonly Buffer[];
  /** Sent behind the first fragment. */
  readonly between: Buffer | undefined;
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 60_000, maxLength: 70_000, size: 'max' }) },
);
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constant('ü'.repeat(40_000)));
const small = fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes));

const item: fc.Arbitrary<Item> = fc.oneof(
  fc
    .record({
      body: fc.oneof(text, payload),
      cuts: fc.array(fc.nat(300), { maxLength: 3 }),
      between: fc.option(small),
    })
    .map(({ body, cuts, between }) => ({
      opcode: typeof body === 'string' ? (1 as const) : (2 as const),
      fragments: cut(Buffer.from(body), cuts),
      between: between ?? undefined,
    })),
  fc
    .record({ opcode: fc.constantFrom(9 as const, 10 as const), body: small })
    .map(({ opcode, body }) => ({ opcode, fragments: [body], between: undefined })),
);
const side = fc.record({
  items: fc.array(item, { maxLength: 12 }),
  chunks: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
});

function cut(body: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((each) => Math.min(each, body.length)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => body.subarray(start, at[i] ?? body.length));
}

function encode(items: readonly Item[], masked: boolean): Buffer {
  const frames: Buffer[] = [];
  for (const { opcode, fragments, between } of items) {
    for (const [i, fragment] of fragments.entries()) {
      frames.push(frame(i === 0 ? opcode : 0, fragment, { masked, fin: i === fragments.length - 1 }));
      if (i === 0 && between !== undefined) frames.push(frame(9, between, { masked }));
    }
  }
  return Buffer.concat(frames);
}

/** What the other end is to see, as sockets.ts writes it down. */
function seenOf(items: readonly Item[]): string[] {
  return items.flatMap(({ opcode, fragments, between }) => {
    const body = Buffer.concat(fragments);
    const own =
      opcode === 1
        ? `text:${body}`
        : opcode === 2
          ? `binary:${body.toString('hex')}`
          : `${opcode === 9 ? 'ping' : 'pong'}:${body.toString('latin1')}`;
    if (between === undefined) return [own];
    const control = `ping:${between.toString('latin1')}`;
    return fragments.length === 1 ? [own, control] : [control, own];
  });
}

async function write(socket: Socket, bytes: Buffer, chunks: readonly number[]): Promise<void> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(chunks[i % chunks.length] ?? 1, Math.ceil(bytes.length / 200));
    if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain');
    at += size;
    await turn();
  }
}

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`any sequence of frames, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;

    before(async () => {
      upstream = await startWebSocketUpstream(silent, { autoPong: false });
      gateway = await startGateway(
        { services: { a: service(upstream.url) }, plugins: [{ 'ws-proxy': { mode } }] },
        { catalogue },
      );
    });

    after(async () => {
      await gateway.stop();
      await upstream.close();
    });

    it('arrives the same, in order, both ways at once, whatever the chunking', async () => {
      await fc.assert(
        fc.asyncProperty(side, side, async (fromClient, fromService) => {
          const raw = connect({ port: gateway.port, host: '127.0.0.1', noDelay: true });
          const { socket, seen } = await openClient(`${gateway.url}/ws/a/x`, [], {
            autoPong: false,
            createConnection: () => raw,
          });
          const accepted = upstream.accepted.at(-1);
          if (accepted === undefined) throw new Error('The service has no connection');
          await Promise.all([
            write(raw, encode(fromClient.items, true), fromClient.chunks),
            write(accepted.raw, encode(fromService.items, false), fromService.chunks),
          ]);
          const [atService, atClient] = [seenOf(fromClient.items), seenOf(fromService.items)];
          await until('all frames', () => {
            return accepted.seen.frames.length >= atService.length && seen.frames.length >= atClient.length;
          });
          expect(accepted.seen.frames).to.deep.equal(atService);
          expect(seen.frames).to.deep.equal(atClient);
          socket.terminate();
          upstream.accepted.length = 0;
        }),
        { numRuns: 60 },
      );
    }).timeout(60_000);
  });
}
