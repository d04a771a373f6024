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

function body(length: number, seed = length, asText = false): StoredBody {
  const bytes = content(length, seed);
  return new StoredBody(asText ? bytes.toString('latin1') : bytes);
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

/** What a body must read as, and what was read of it so far. */
class Model {
  readonly body: StoredBody;
  readonly #bytes: Buffer;
  readonly #text: string;
  /** Those of before it was moved too: somebody may still be sending them. */
  readonly #given = new Set<Buffer>();

  constructor(length: number, seed: number, asText: boolean) {
    this.#bytes = content(length, seed);
    this.#text = this.#bytes.toString('latin1');
    // What is stored is not to be what it is held against.
    this.body = new StoredBody(asText ? this.#bytes.toString('latin1') : Buffer.from(this.#bytes));
  }

  get length(): number {
    return this.#bytes.length;
  }

  read(how: 'text' | 'bytes'): void {
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
const newBody = fc.record({ length: bodyLength, seed: fc.nat(), asText: fc.boolean() });
const how = fc.constantFrom('text' as const, 'bytes' as const);
const which = fc.nat(1000);
/** More than come, so that slabs become sparse. */
const several = fc.array(which, { minLength: 8, maxLength: 24, size: 'max' });
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('add' as const), made: newBody, readBefore: fc.option(how) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), several }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add again' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), which, how }) },
);

describe('response-cache: slabs of bodies', () => {
  it('a body reads as it was stored, in or removed, and whatever happens to others', function () {
    this.timeout(60_000);
    let emptied = 0;
    fc.assert(
      fc.property(
        fc.array(newBody, { minLength: 240, maxLength: 280, size: 'max' }),
        fc.array(step, { minLength: 30, maxLength: 60, size: 'max' }),
        (before, steps) => {
          const slabs = new BodySlabs(MB);
          const oneSlab = slabBytes(MB);
          const all: Model[] = [];
          const live = new Set<Model>();
          const add = (model: Model) => {
            slabs.add(model.body);
            live.add(model);
          };
          const pick = <T>(from: Iterable<T>, at: number): T | undefined => {
            const list = [...from];
            return list[at % list.length];
          };
          const readAll = () => {
            for (const model of all) {
              model.read('text');
              model.read('bytes');
              model.readGiven();
            }
          };
          const check = () => {
            let bytes = 0;
            for (const { length } of live) if (length <= MOST_IN_SLAB) bytes += length;
            expect(slabs.bytes).to.be.at.least(bytes);
            expect(slabs.bytes).to.be.at.most(bytes * (1 + MOST_WASTE) + MOST_BEYOND * oneSlab);
          };
          for (const { length, seed, asText } of before) {
            const model = new Model(length, seed, asText);
            all.push(model);
            add(model);
          }
          check();
          for (const [index, each] of steps.entries()) {
            if (each.kind === 'add') {
              const model = new Model(each.made.length, each.made.seed, each.made.asText);
              if (each.readBefore !== null) model.read(each.readBefore);
              all.push(model);
              add(model);
            } else if (each.kind === 'remove') {
              const places = Array.from(live, (model) => model.body.slab);
              const bodies = Array.from(live, (model) => model.body);
              for (const one of each.several) {
                const model = pick(live, one);
                if (model === undefined) break;
                slabs.remove(model.body);
                live.delete(model);
              }
              if (bodies.some((one, at) => one.slab !== places[at])) emptied++;
            } else if (each.kind === 'add again') {
              const model = pick(
                all.filter((one) => !live.has(one)),
                each.which,
              );
              if (model !== undefined) add(model);
            } else {
              pick(all, each.which)?.read(each.how);
            }
            check();
            if (index % 8 === 0) readAll();
          }
          readAll();
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
        for (const { lengths, bodies, oneOf, removed } of bursts) {
          for (let i = 0; i < bodies; i++) {
            const one = new StoredBody(bytes.subarray(0, lengths[i % lengths.length]));
            live.push(one);
            inAll += one.length;
            slabs.add(one);
            check();
          }
          for (let i = 0, at = 0; i < removed && at < live.length; i++, at += oneOf - 1) {
            const [one] = live.splice(at, 1);
            if (one === undefined) break;
            inAll -= one.length;
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

  it('removing twice counts once', () => {
    const slabs = new BodySlabs(MB);
    const [first, ...others] = fullSlab(slabs);
    const next = added(slabs, 1);
    if (first === undefined) throw new Error('No body');
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
    for (const each of second) slabs.remove(each);
    expect(slabs.bytes).to.equal(oneSlab);
  });

  it('drops a slab that was being filled when its last body went, once another is filled', () => {
    const slabs = new BodySlabs(MB);
    for (const each of fullSlab(slabs)) slabs.remove(each);
    added(slabs, 1);
    expect(slabs.bytes).to.equal(slabBytes(MB));
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
    const bodies = Array.from({ length: 1024 }, (_, seed) => body(MOST_IN_SLAB, seed, true));
    for (const each of bodies) slabs.add(each);
    expect(texts() - before).to.be.lessThan(4 * MB);
    expect(bodies.map(({ text }) => text.length)).to.deep.equal(bodies.map(() => MOST_IN_SLAB));
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
