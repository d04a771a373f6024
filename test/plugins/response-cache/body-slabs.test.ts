import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import { BodySlabs, MOST_IN_SLAB, MOST_WASTE } from '../../../plugins/response-cache/body-slabs.js';
import { StoredBody } from '../../../plugins/response-cache/stored-body.js';

const KB = 1024;
const MB = 1024 * KB;

/** SPARE, which is looked at whenever a body goes, and the slab that the next one to come may need. */
const MOST_BEYOND = 4 + 1;

/** For a property, in milliseconds: making a long counterexample short would take minutes. */
const MOST_TIME = 15_000;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes of Buffers. The second time, since memory that is found to be free may be given back beside the program. */
function memory(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Bytes that look random, any of the 256 values among them. */
function content(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A text of any characters that a header field may have. */
function headOf(length: number, seed: number): string {
  const bytes = content(length, seed);
  for (const [at, byte] of bytes.entries()) bytes[at] = 0x20 + (byte % 0xe0);
  return bytes.toString('latin1');
}

function body(length: number, seed = length, asText = false, head = ''): StoredBody {
  const bytes = content(length, seed);
  return new StoredBody(asText ? bytes.toString('latin1') : bytes, head);
}

/** Fills a slab of 256 KB to its end. */
function fullSlab(slabs: BodySlabs): StoredBody[] {
  return Array.from({ length: 16 }, (_, seed) => added(slabs, MOST_IN_SLAB, seed));
}

function added(slabs: BodySlabs, length: number, seed?: number): StoredBody {
  const one = body(length, seed);
  slabs.add(one);
  return one;
}

function slabBytes(maxBytes: number): number {
  const slabs = new BodySlabs(maxBytes);
  slabs.add(body(1));
  return slabs.bytes;
}

interface NewBody {
  readonly length: number;
  /** Characters of its head. */
  readonly head: number;
  readonly seed: number;
  readonly asText: boolean;
}

const HOW = ['head', 'text', 'bytes'] as const;
type How = (typeof HOW)[number];

/** What a body must read as, and what was read of it so far. */
class Model {
  readonly body: StoredBody;
  readonly #bytes: Buffer;
  readonly #text: string;
  readonly #head: string;
  /** Those of before it was moved too: somebody may still be sending them. */
  readonly #given = new Set<Buffer>();

  constructor({ length, head, seed, asText }: NewBody) {
    this.#bytes = content(length, seed);
    this.#text = this.#bytes.toString('latin1');
    this.#head = headOf(head, seed);
    // What is stored is not to be what it is held against.
    this.body = new StoredBody(
      asText ? this.#bytes.toString('latin1') : Buffer.from(this.#bytes),
      headOf(head, seed),
    );
    expect(this.body.length).to.equal(length);
    expect(this.body.room).to.equal(head + length);
  }

  /** Whether somebody has its bytes; what nobody has is not looked at once it is removed. */
  get isHeld(): boolean {
    return this.#given.size > 0;
  }

  get room(): number {
    return this.#head.length + this.#bytes.length;
  }

  read(how: How): void {
    if (how === 'head') {
      expect(this.body.head === this.#head, 'head').to.equal(true);
      return;
    }
    if (how === 'text') {
      // `expect` on the texts would print all of them.
      expect(this.body.text === this.#text, 'text').to.equal(true);
      return;
    }
    const { bytes } = this.body;
    expect(this.body.bytes, 'the same each time').to.equal(bytes);
    expect(bytes.equals(this.#bytes), 'bytes').to.equal(true);
    this.#given.add(bytes);
  }

  readGiven(): void {
    for (const bytes of this.#given) expect(bytes.equals(this.#bytes), 'bytes given before').to.equal(true);
  }
}

const bodyLength = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(0, 1, MOST_IN_SLAB, MOST_IN_SLAB + 1) },
  { weight: 4, arbitrary: fc.nat(20 * KB) },
);
/** Of the head; or what is left for it of the most that goes into a slab, and how much more it is. */
const headLength = fc.oneof(
  { weight: 1, arbitrary: fc.record({ left: fc.integer({ min: -1, max: 1 }) }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1) },
  { weight: 6, arbitrary: fc.nat(600) },
);
const newBody: fc.Arbitrary<NewBody> = fc
  .record({ length: bodyLength, headLength, seed: fc.nat(), asText: fc.boolean() })
  .map(({ length, headLength, ...others }) => {
    const most = Math.max(0, MOST_IN_SLAB - length);
    const head = typeof headLength === 'number' ? headLength : Math.max(0, most + headLength.left);
    return { length, head, ...others };
  });
const how = fc.constantFrom(...HOW);
const which = fc.nat(1000);
/** More than come, so that slabs become sparse. */
const several = fc.array(which, { minLength: 8, maxLength: 24, size: 'max' });
const some = fc.array(newBody, { minLength: 20, maxLength: 60, size: 'max' });
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('add' as const), made: newBody, readBefore: fc.option(how) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('remove' as const), several }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('add again' as const), which, isLive: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove oldest' as const), count: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add some' as const), some }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), which, how }) },
);

describe('response-cache: slabs of bodies', () => {
  it('a body reads as it was stored, in or removed, and whatever happens to others', function () {
    this.timeout(60_000);
    let emptied = 0;
    fc.assert(
      fc.property(
        fc.array(newBody, { minLength: 240, maxLength: 280, size: 'max' }),
        fc.array(step, { minLength: 40, maxLength: 80, size: 'max' }),
        (before, steps) => {
          const slabs = new BodySlabs(MB);
          const oneSlab = slabBytes(MB);
          const all: Model[] = [];
          /** With how many have each. */
          const live = new Map<Model, number>();
          const add = (model: Model) => {
            slabs.add(model.body);
            live.set(model, (live.get(model) ?? 0) + 1);
          };
          const remove = (model: Model) => {
            slabs.remove(model.body);
            const users = (live.get(model) ?? 0) - 1;
            if (users > 0) live.set(model, users);
            else live.delete(model);
          };
          const pick = <T>(from: Iterable<T>, at: number): T | undefined => {
            const list = [...from];
            return list[at % list.length];
          };
          const readAll = () => {
            for (const model of all) {
              if (model.isHeld) model.read('bytes');
              if (model.isHeld || live.has(model)) {
                model.read('head');
                model.read('text');
              }
              model.readGiven();
            }
          };
          const check = () => {
            let bytes = 0;
            for (const { room } of live.keys()) if (room <= MOST_IN_SLAB) bytes += room;
            expect(slabs.bytes).to.be.at.least(bytes);
            expect(slabs.bytes).to.be.at.most(bytes * (1 + MOST_WASTE) + MOST_BEYOND * oneSlab);
          };
          for (const made of before) {
            const model = new Model(made);
            all.push(model);
            add(model);
          }
          check();
          for (const each of steps) {
            if (each.kind === 'add') {
              const model = new Model(each.made);
              if (each.readBefore !== null) model.read(each.readBefore);
              all.push(model);
              add(model);
              expect(model.body.slab !== undefined).to.equal(model.room > 0 && model.room <= MOST_IN_SLAB);
            } else if (each.kind === 'remove') {
              const bodies = Array.from(live.keys(), (model) => model.body);
              const places = bodies.map(({ slab }) => slab);
              for (const one of each.several) {
                const model = pick(live.keys(), one);
                if (model !== undefined) remove(model);
              }
              if (bodies.some((one, at) => one.slab !== places[at])) emptied++;
            } else if (each.kind === 'add again') {
              const gone = all.filter((one) => one.isHeld && !live.has(one));
              const model = pick(each.isLive ? live.keys() : gone, each.which);
              if (model !== undefined) add(model);
            } else if (each.kind === 'add some') {
              for (const made of each.some) {
                const model = new Model(made);
                all.push(model);
                add(model);
              }
            } else if (each.kind === 'remove oldest') {
              for (const model of [...live.keys()].slice(0, each.count)) remove(model);
            } else {
              pick(live.keys(), each.which)?.read(each.how);
            }
            check();
            readAll();
          }
          for (const model of live.keys()) model.read('bytes');
        },
      ),
      { numRuns: 20, interruptAfterTimeLimit: MOST_TIME },
    );
    expect(emptied, 'slabs that were emptied').to.be.greaterThan(10);
  });

  it('holds little beside the live bodies, however they come and go', function () {
    this.timeout(60_000);
    const maxBytes = 128 * MB;
    const oneSlab = slabBytes(maxBytes);
    const burst = fc.record({
      lengths: fc.array(fc.integer({ min: 1, max: MOST_IN_SLAB }), { minLength: 1, maxLength: 8 }),
      head: fc.nat(300),
      bodies: fc.nat(150),
      /** Of how many bodies one goes; in the order in which they came, or anywhere. */
      oneOf: fc.integer({ min: 1, max: 4 }),
      removed: fc.nat(300),
    });
    const bytes = Buffer.alloc(MOST_IN_SLAB);
    let most = 0;
    fc.assert(
      fc.property(fc.array(burst, { minLength: 5, maxLength: 15, size: 'max' }), (bursts) => {
        const slabs = new BodySlabs(maxBytes);
        const live: StoredBody[] = [];
        let inAll = 0;
        const check = () => {
          const beyond = (slabs.bytes - inAll * (1 + MOST_WASTE)) / oneSlab;
          if (beyond > most) most = beyond;
          expect(beyond).to.be.at.most(MOST_BEYOND);
        };
        for (const { lengths, head, bodies, oneOf, removed } of bursts) {
          for (let i = 0; i < bodies; i++) {
            const room = lengths[i % lengths.length] ?? 0;
            const before = ' '.repeat(Math.min(head, room));
            const one = new StoredBody(bytes.subarray(0, room - before.length), before);
            live.push(one);
            inAll += room;
            slabs.add(one);
            check();
          }
          for (let i = 0, at = 0; i < removed && at < live.length; i++, at += oneOf - 1) {
            const [one] = live.splice(at, 1);
            if (one === undefined) break;
            inAll -= one.room;
            slabs.remove(one);
            check();
          }
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: MOST_TIME },
    );
    expect(most, 'slabs beyond').to.be.greaterThan(3);
  });

  it('holds as little where slabs are small and a body more would not go into any', () => {
    const maxBytes = 32 * MB;
    const slabs = new BodySlabs(maxBytes);
    // Nineteen of these go into 256 KB, and the twentieth nearly.
    const length = 13_108;
    let live = 0;
    while (live < maxBytes / 2) {
      added(slabs, length);
      live += length;
    }
    slabs.remove(added(slabs, length));
    expect(slabs.bytes).to.be.at.most(live * (1 + MOST_WASTE) + MOST_BEYOND * slabBytes(maxBytes));
  });

  it('gives the same Buffer until the body is moved', () => {
    for (const asText of [false, true]) {
      const slabs = new BodySlabs(MB);
      const one = body(100, 1, asText);
      const own = one.bytes;
      expect(one.bytes).to.equal(own);
      slabs.add(one);
      const inSlab = one.bytes;
      expect(inSlab).not.to.equal(own);
      expect(one.bytes).to.equal(inSlab);
      expect(inSlab.buffer).to.equal(one.slab?.memory.buffer);
      const { slab } = one;
      const others = Array.from({ length: 20 }, () => fullSlab(slabs)).flat();
      expect(one.bytes).to.equal(inSlab);
      // One in four stays, so that no slab is dropped; of the first, nothing but this body.
      for (const [index, each] of others.entries()) {
        if (index > 3 && index % 4 === 0) continue;
        slabs.remove(each);
        if (one.slab === slab) expect(one.bytes).to.equal(inSlab);
      }
      expect(one.slab).not.to.equal(slab);
      expect(one.bytes).not.to.equal(inSlab);
      expect(one.bytes).to.equal(one.bytes);
      expect(one.bytes).to.deep.equal(inSlab);
      expect(inSlab).to.deep.equal(own);
    }
  });

  it('leaves large and empty bodies where they are', () => {
    const slabs = new BodySlabs(MB);
    for (const length of [0, MOST_IN_SLAB + 1, 20 * KB]) {
      for (const asText of [false, true]) {
        const one = body(length, 1, asText);
        const { bytes, text } = one;
        slabs.add(one);
        expect(one.slab).to.equal(undefined);
        expect(one.bytes).to.equal(bytes);
        expect(one.text).to.equal(text);
        slabs.remove(one);
        expect(one.bytes).to.equal(bytes);
      }
    }
    expect(slabs.bytes).to.equal(0);
    added(slabs, MOST_IN_SLAB);
    expect(slabs.bytes).to.equal(slabBytes(MB));
  });

  it('counts the head to what goes into a slab', () => {
    const slabs = new BodySlabs(MB);
    for (const asText of [false, true]) {
      for (const length of [0, 1, MOST_IN_SLAB - 1, MOST_IN_SLAB]) {
        const large = headOf(MOST_IN_SLAB - length + 1, 1);
        const one = body(length, 1, asText, large);
        slabs.add(one);
        expect(one.slab).to.equal(undefined);
        expect(one.head).to.equal(large);
        expect(one.bytes).to.deep.equal(content(length, 1));
        slabs.remove(one);
        expect(one.head).to.equal(large);
      }
    }
    expect(slabs.bytes).to.equal(0);
    // Each a sixteenth of a slab, which they fill to its last byte.
    const lengths = Array.from({ length: 16 }, (_, index) => Math.min(MOST_IN_SLAB, index * 1100));
    const full = lengths.map((length, seed) => {
      const one = body(length, seed, seed % 2 === 0, headOf(MOST_IN_SLAB - length, seed));
      slabs.add(one);
      return one;
    });
    expect(slabs.bytes).to.equal(slabBytes(MB));
    for (const [seed, one] of full.entries()) {
      const length = lengths[seed] ?? 0;
      expect(one.slab).to.equal(full[0]?.slab);
      expect(one.head).to.equal(headOf(MOST_IN_SLAB - length, seed));
      expect(one.bytes).to.deep.equal(content(length, seed));
    }
    added(slabs, 1);
    // Nothing but what is live is counted: all of it goes.
    for (const one of full) slabs.remove(one);
    expect(slabs.bytes).to.equal(slabBytes(MB));
  });

  it('moves nothing while most of what is in slabs is live, heads or bodies', () => {
    const slabs = new BodySlabs(MB);
    const head = headOf(MOST_IN_SLAB, 1);
    const bodies = Array.from({ length: 20 * 16 }, () => body(0, 1, true, head));
    for (const one of bodies) slabs.add(one);
    const places = bodies.map(({ slab }) => slab);
    for (const one of bodies.slice(0, 15)) slabs.remove(one);
    expect(bodies.every(({ slab }, index) => slab === places[index])).to.equal(true);
  });

  it('the head moves with the body, and can be read when both have gone', () => {
    const slabs = new BodySlabs(MB);
    const head = headOf(300, 3);
    const bodies = [body(100, 1, false, head), body(0, 1, true, head)];
    for (const one of bodies) slabs.add(one);
    const first = bodies.map(({ slab }) => slab);
    const others = Array.from({ length: 20 }, () => fullSlab(slabs)).flat();
    for (const [index, each] of others.entries()) if (index <= 3 || index % 4 > 0) slabs.remove(each);
    for (const [index, one] of bodies.entries()) {
      expect(one.slab).not.to.equal(first[index]);
      expect(one.head).to.equal(head);
      slabs.remove(one);
    }
    fullSlab(slabs);
    expect(bodies.map((one) => one.head)).to.deep.equal([head, head]);
  });

  it('removing twice counts once', () => {
    const slabs = new BodySlabs(MB);
    const [first, ...others] = fullSlab(slabs);
    const next = added(slabs, 1);
    if (first === undefined) throw new Error('No body');
    expect(first.bytes).to.deep.equal(content(MOST_IN_SLAB, 0));
    for (let i = 0; i < 4; i++) slabs.remove(first);
    expect(slabs.bytes).to.equal(2 * slabBytes(MB));
    for (const each of others) slabs.remove(each);
    expect(slabs.bytes).to.equal(slabBytes(MB));
    expect(next.bytes).to.deep.equal(content(1, 1));
  });

  it('removing what is not in counts nothing', () => {
    const slabs = new BodySlabs(MB);
    const bodies = fullSlab(slabs);
    added(slabs, 1);
    for (const each of bodies) slabs.remove(new StoredBody(Buffer.from(each.bytes)));
    expect(slabs.bytes).to.equal(2 * slabBytes(MB));
  });

  it('takes a body in again after it was removed', () => {
    const slabs = new BodySlabs(MB);
    const one = body(1000, 7, true);
    const expected = content(1000, 7);
    const neighbours: StoredBody[] = [];
    for (let round = 0; round < 3; round++) {
      // Into the same slab first, then into another.
      for (let time = 0; time < 2; time++) {
        slabs.add(one);
        expect(one.bytes).to.deep.equal(expected);
        if (time === 0) slabs.remove(one);
        expect(one.text).to.equal(expected.toString('latin1'));
      }
      neighbours.push(...fullSlab(slabs));
      slabs.remove(one);
    }
    slabs.add(one);
    // Where it was before, nothing is kept for its sake.
    for (const each of neighbours) slabs.remove(each);
    expect(slabs.bytes).to.equal(slabBytes(MB));
    expect(one.bytes).to.deep.equal(expected);
    slabs.remove(one);
    fullSlab(slabs);
    added(slabs, MOST_IN_SLAB);
    expect(one.bytes).to.deep.equal(expected);
  });

  it('leaves a body that was taken in again where it is when its former slab is emptied', () => {
    const slabs = new BodySlabs(MB);
    const [again, remaining] = [added(slabs, 100), added(slabs, 50)];
    const emptied = fullSlab(slabs);
    slabs.remove(again);
    slabs.add(again);
    const { slab } = again;
    const { slab: former } = remaining;
    expect(slab).not.to.equal(former);
    const others = Array.from({ length: 20 }, () => fullSlab(slabs)).flat();
    for (const each of emptied) slabs.remove(each);
    for (const [index, each] of others.entries()) if (index % 4 > 0 && index > 3) slabs.remove(each);
    expect(remaining.slab).not.to.equal(former);
    expect(again.slab).to.equal(slab);
  });

  it('drops a slab with its last body', () => {
    const slabs = new BodySlabs(MB);
    const first = fullSlab(slabs);
    const second = fullSlab(slabs);
    added(slabs, 1);
    const oneSlab = slabBytes(MB);
    for (const [index, each] of first.entries()) {
      expect(slabs.bytes).to.equal(3 * oneSlab);
      slabs.remove(each);
      expect(each.bytes).to.deep.equal(content(MOST_IN_SLAB, index));
    }
    expect(slabs.bytes).to.equal(2 * oneSlab);
    for (const [index, each] of second.entries()) {
      expect(each.bytes).to.deep.equal(content(MOST_IN_SLAB, index));
      slabs.remove(each);
    }
    expect(slabs.bytes).to.equal(oneSlab);
  });

  it('drops a slab that was being filled when its last body went, once another is filled', () => {
    const slabs = new BodySlabs(MB);
    for (const each of fullSlab(slabs)) slabs.remove(each);
    added(slabs, 1);
    expect(slabs.bytes).to.equal(slabBytes(MB));
  });

  it('fills a slab again of which nobody had anything, and shows nobody else what is in it then', () => {
    const slabs = new BodySlabs(MB);
    const before = fullSlab(slabs);
    const { slab } = before[0] ?? body(0);
    const [kept] = fullSlab(slabs);
    for (const each of before) slabs.remove(each);
    const after = Array.from({ length: 16 }, (_, seed) => added(slabs, MOST_IN_SLAB, 100 + seed));
    expect(after.map((each) => each.slab)).to.deep.equal(Array.from({ length: 16 }, () => slab));
    expect(after[3]?.bytes).to.deep.equal(content(MOST_IN_SLAB, 103));
    for (const each of before) {
      for (const how of HOW) expect(() => each[how]).to.throw('nobody had kept');
    }
    expect(kept?.bytes).to.deep.equal(content(MOST_IN_SLAB, 0));
    expect(slabs.bytes).to.equal(2 * slabBytes(MB));
  });

  it('whoever has a body reads it as it was, and nobody else anything but it or an error', () => {
    let refused = 0;
    let read = 0;
    const step = fc.record({
      length: fc.constantFrom(1, 10 * KB, MOST_IN_SLAB),
      handedOut: fc.nat(100),
      /** Mostly the oldest. */
      removed: fc.array(fc.constantFrom(0, 0, 0, 1, 20), { minLength: 0, maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 150, maxLength: 250, size: 'max' }), (steps) => {
        const slabs = new BodySlabs(MB);
        const all: { body: StoredBody; expected: string; handedOut: boolean }[] = [];
        const live: typeof all = [];
        for (const [seed, { length, handedOut, removed }] of steps.entries()) {
          const one = body(length, seed, seed % 2 === 0, 'head');
          const made = { body: one, expected: content(length, seed).toString('latin1'), handedOut: false };
          if (handedOut === 0) one.handOut();
          slabs.add(one);
          if (handedOut === 1) one.handOut();
          made.handedOut = handedOut < 2;
          all.push(made);
          live.push(made);
          for (const at of removed) for (const { body } of live.splice(at, 1)) slabs.remove(body);
        }
        for (const made of all) {
          try {
            expect(made.body.text === made.expected && made.body.head === 'head', 'text').to.equal(true);
            read++;
          } catch (error) {
            if (made.handedOut || live.includes(made)) throw error;
            expect(String(error)).to.include('nobody had kept');
            refused++;
          }
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: MOST_TIME },
    );
    expect(refused, 'refused').to.be.greaterThan(100);
    expect(read, 'read').to.be.greaterThan(100);
  });

  it('keeps a body that two responses share until both have gone', () => {
    const slabs = new BodySlabs(MB);
    const shared = added(slabs, MOST_IN_SLAB, 1);
    slabs.add(shared);
    const { slab } = shared;
    const others = Array.from({ length: 20 }, () => fullSlab(slabs)).flat();
    slabs.remove(shared);
    for (const [index, each] of others.entries()) if (index < 15 || index % 4 > 0) slabs.remove(each);
    expect(shared.slab).not.to.equal(slab);
    expect(shared.bytes).to.deep.equal(content(MOST_IN_SLAB, 1));
  });

  it('lets go of a body that two responses share when both have gone', () => {
    const slabs = new BodySlabs(MB);
    for (let round = 0; round < 100; round++) {
      const shared = added(slabs, MOST_IN_SLAB);
      slabs.add(shared);
      slabs.remove(shared);
      slabs.remove(shared);
    }
    expect(slabs.bytes).to.be.at.most(MOST_BEYOND * slabBytes(MB));
  });

  it('gives the memory of dropped slabs back', () => {
    const maxBytes = 512 * MB;
    const before = memory();
    const slabs = new BodySlabs(maxBytes);
    const bodies = Array.from({ length: 4096 }, () => new StoredBody(Buffer.alloc(MOST_IN_SLAB)));
    for (const each of bodies) slabs.add(each);
    // Nobody but the slabs has the bytes.
    expect(slabs.bytes).to.equal(64 * MB);
    expect(memory() - before).to.be.within(63 * MB, 66 * MB);
    for (const each of bodies.splice(0)) slabs.remove(each);
    expect(slabs.bytes).to.be.at.most(MOST_BEYOND * slabBytes(maxBytes));
    expect(memory() - before).to.be.lessThan(slabs.bytes + 2 * MB);
  });

  it('keeps no text beside the slab', () => {
    const texts = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = texts();
    const slabs = new BodySlabs(512 * MB);
    const length = MOST_IN_SLAB / 2;
    const bodies = Array.from({ length: 1024 }, (_, seed) => body(length, seed, true, headOf(length, seed)));
    for (const each of bodies) slabs.add(each);
    expect(texts() - before).to.be.lessThan(4 * MB);
    expect(bodies.map(({ text }) => text.length)).to.deep.equal(bodies.map(() => length));
    expect(bodies.map(({ head }) => head.length)).to.deep.equal(bodies.map(() => length));
  });

  it('gives the memory of emptied slabs back', () => {
    const maxBytes = 512 * MB;
    const before = memory();
    const slabs = new BodySlabs(maxBytes);
    let bodies = Array.from({ length: 4096 }, () => new StoredBody(Buffer.alloc(MOST_IN_SLAB)));
    for (const each of bodies) slabs.add(each);
    const kept = bodies.filter((_, index) => index % 16 === 0);
    for (const [index, each] of bodies.entries()) if (index % 16 !== 0) slabs.remove(each);
    bodies = [];
    expect(slabs.bytes).to.be.at.most(4 * MB * (1 + MOST_WASTE) + MOST_BEYOND * slabBytes(maxBytes));
    expect(memory() - before).to.be.lessThan(slabs.bytes + 2 * MB);
    expect(kept.every(({ text }) => text === '\0'.repeat(MOST_IN_SLAB))).to.equal(true);
  });

  it('gives the memory of dropped slabs back where a body of theirs was in a slab before that remains', () => {
    const maxBytes = 512 * MB;
    const before = memory();
    const slabs = new BodySlabs(maxBytes);
    const bytes = Buffer.alloc(MOST_IN_SLAB);
    const perSlab = slabBytes(maxBytes) / MOST_IN_SLAB;
    const moving = Array.from({ length: 16 }, () => added(slabs, 1));
    const staying = Array.from({ length: perSlab - 1 }, () => new StoredBody(bytes));
    for (const each of staying) slabs.add(each);
    // As when a 304 comes for a response that is stored, which later goes with its neighbours.
    for (const one of moving.splice(0)) {
      slabs.remove(one);
      slabs.add(one);
      const neighbours = Array.from({ length: perSlab }, () => new StoredBody(bytes));
      for (const each of neighbours) slabs.add(each);
      for (const each of [one, ...neighbours]) slabs.remove(each);
    }
    expect(slabs.bytes).to.be.at.most((MOST_BEYOND + 1) * slabBytes(maxBytes));
    expect(memory() - before).to.be.lessThan(slabs.bytes + 2 * MB);
    expect(staying).to.have.length(perSlab - 1);
  });
});
