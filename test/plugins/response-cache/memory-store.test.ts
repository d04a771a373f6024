import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryStore, type MemoryStoreOptions } from '../../../plugins/response-cache/memory-store.js';
import type { StoredBody } from '../../../plugins/response-cache/stored-body.js';
import type { StoredResponse } from '../../../plugins/response-cache/stored-response.js';
import { stored } from './stored.js';

const KEYS = ['GET:http://demo/a', 'GET:http://demo/ab', 'GET:http://demo/b'];
const VARIANTS = ['', 'http://gateway.example ', 'http://gateway.example \naccept=*/*', 'x'];
/** Fewer than a resource keeps apart. */
const VARIES = [[], ['accept'], ['accept', 'origin'], ['origin']];
const TAGS = ['one', 'two', 'three'];

interface Made {
  readonly key: string;
  readonly variant: string;
  readonly vary: readonly string[];
  readonly tags: readonly string[];
  readonly length: number;
}

function response({ key, variant, vary, tags, length }: Made, body?: StoredBody): StoredResponse {
  const fields = ['Cache-Control', 'max-age=600', 'Cache-Tag', tags.join()];
  return stored({ key, variant, vary, fields }, body ?? Buffer.alloc(length, key));
}

/** A store as it is meant: a list, the one that was not used for the longest time first. */
class Model {
  live: StoredResponse[] = [];
  evictions = 0;
  readonly #options: MemoryStoreOptions;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.live.reduce((sum, { size }) => sum + size, 0);
  }

  find(key: string, variant: string): StoredResponse | undefined {
    return this.live.find((each) => each.key === key && each.variant === variant);
  }

  put(response: StoredResponse): void {
    this.removeWhere(({ key, variant }) => key === response.key && variant === response.variant);
    const { maxBytes, maxEntries } = this.#options;
    if (response.size > maxBytes) return;
    while (this.live.length >= maxEntries || this.bytes + response.size > maxBytes) {
      this.live.shift();
      this.evictions++;
    }
    this.live.push(response);
  }

  touch(response: StoredResponse): void {
    this.live = [...this.live.filter((each) => each !== response), response];
  }

  removeWhere(matches: (response: StoredResponse) => boolean): number {
    const { length } = this.live;
    this.live = this.live.filter((each) => !matches(each));
    return length - this.live.length;
  }
}

function agree(store: MemoryStore, model: Model, all: readonly StoredResponse[]): void {
  expect(store.entries, 'entries').to.equal(model.live.length);
  expect(store.bytes, 'bytes').to.equal(model.bytes);
  expect(store.evictions, 'evictions').to.equal(model.evictions);
  for (const key of KEYS) {
    const resource = store.find(key);
    const live = model.live.filter((each) => each.key === key);
    expect(resource?.key, 'key').to.equal(live.length === 0 ? undefined : key);
    // `expect` on the responses would print all that is in them.
    for (const variant of VARIANTS)
      expect(resource?.get(variant) === model.find(key, variant), `${key} ${variant}`).to.equal(true);
    const responses = resource?.responses() ?? [];
    expect(responses.length, 'responses').to.equal(live.length);
    expect(new Set([...responses, ...live]).size, 'responses').to.equal(live.length);
    for (const { reuse } of live) expect(resource?.varies).to.deep.include(reuse.vary);
  }
  // Whether the slabs were told of each that came and went.
  for (const { body } of all)
    expect(body.users, 'users').to.equal(model.live.filter((each) => each.body === body).length);
}

const made: fc.Arbitrary<Made> = fc.record({
  key: fc.constantFrom(...KEYS),
  variant: fc.constantFrom(...VARIANTS),
  vary: fc.constantFrom(...VARIES),
  tags: fc.subarray(TAGS),
  length: fc.oneof(
    { weight: 6, arbitrary: fc.nat(1500) },
    { weight: 1, arbitrary: fc.constantFrom(0, 7000, 20_000) },
  ),
});
const which = fc.nat(1000);
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('put' as const), made }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('touch' as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), which }) },
  // Whatever became of it: removed, replaced or evicted.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove any' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('put any' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('update' as const), which, made, inPlace: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeKey' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeTagged' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeWhere' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

function pick<T>(from: readonly T[], at: number): T | undefined {
  return from[at % from.length];
}

describe('response-cache: memory store', () => {
  it('keeps what a list would, whatever is done to it', () => {
    const options = fc.record({
      maxEntries: fc.integer({ min: 1, max: 8 }),
      maxBytes: fc.integer({ min: 1500, max: 16_000 }),
    });
    const steps = fc.array(step, { minLength: 20, maxLength: 60, size: 'max' });
    const seen = { evictions: 0, withoutFirst: 0 };
    fc.assert(
      fc.property(options, steps, (bounds, steps) => {
        const store = new MemoryStore(bounds);
        const model = new Model(bounds);
        const all: StoredResponse[] = [];
        const put = (one: StoredResponse) => {
          if (!all.includes(one)) all.push(one);
          store.put(one);
          model.put(one);
        };
        const remove = (one: StoredResponse) => {
          store.remove(one);
          model.removeWhere((each) => each === one);
        };
        for (const each of steps) {
          switch (each.kind) {
            case 'put':
              put(response(each.made));
              break;
            case 'put any': {
              const one = pick(all, each.which);
              if (one !== undefined) put(one);
              break;
            }
            case 'touch': {
              const one = pick(model.live, each.which);
              if (one === undefined) break;
              store.touch(one);
              model.touch(one);
              break;
            }
            case 'remove':
            case 'remove any': {
              const one = pick(each.kind === 'remove' ? model.live : all, each.which);
              if (one !== undefined) remove(one);
              break;
            }
            case 'update': {
              // As when a 304 comes: by then the stored response may have gone, and the update be another variant.
              const before = pick(all, each.which);
              if (before === undefined) break;
              const { key, variant } = each.inPlace ? before : each.made;
              const updated = response({ ...each.made, key, variant }, before.body);
              remove(before);
              put(updated);
              break;
            }
            case 'removeKey': {
              const key = pick(KEYS, each.which) ?? '';
              expect(store.removeKey(key)).to.equal(model.removeWhere((one) => one.key === key));
              break;
            }
            case 'removeTagged': {
              const tag = pick(TAGS, each.which) ?? '';
              expect(store.removeTagged(tag)).to.equal(model.removeWhere(({ tags }) => tags.includes(tag)));
              break;
            }
            case 'removeWhere': {
              const variant = pick(VARIANTS, each.which);
              const asked: StoredResponse[] = [];
              const live = new Set(model.live);
              const removed = store.removeWhere((one) => asked.push(one) > 0 && one.variant === variant);
              expect(asked).to.have.length(live.size);
              expect(asked.every((one) => live.has(one))).to.equal(true);
              expect(removed).to.equal(model.removeWhere((one) => one.variant === variant));
              break;
            }
            case 'clear':
              expect(store.clear()).to.equal(model.removeWhere(() => true));
              for (const tag of TAGS) expect(store.removeTagged(tag)).to.equal(0);
              break;
          }
          agree(store, model, all);
          for (const { key, listedAs } of model.live)
            if (listedAs !== key && !model.live.some((one) => one.listedAs === key)) seen.withoutFirst++;
        }
        for (const tag of TAGS) {
          expect(store.removeTagged(tag)).to.equal(model.removeWhere(({ tags }) => tags.includes(tag)));
          agree(store, model, all);
        }
        expect(store.clear()).to.equal(model.removeWhere(() => true));
        agree(store, model, all);
        expect(store.bytes).to.equal(0);
        for (const tag of TAGS) expect(store.removeTagged(tag)).to.equal(0);
        seen.evictions += model.evictions;
      }),
      { numRuns: 300 },
    );
    expect(seen.evictions, 'evictions').to.be.greaterThan(300);
    expect(seen.withoutFirst, 'responses whose first has gone').to.be.greaterThan(100);
  });

  it('keeps those that are used, of one URL as of several', () => {
    const store = new MemoryStore({ maxBytes: 100_000, maxEntries: 3 });
    const [first, second, third, fourth, fifth] = VARIANTS.concat('y').map((variant) =>
      response({ key: 'k', variant, vary: [], tags: [], length: 10 }),
    );
    if (!first || !second || !third || !fourth || !fifth) throw new Error('No responses');
    for (const each of [first, second, third]) store.put(each);
    store.touch(first);
    store.put(fourth);
    expect(store.find('k')?.responses()).to.deep.equal([first, third, fourth]);
    store.touch(third);
    store.put(fifth);
    // The URL's first has gone, and the place that was its is free.
    expect(store.find('k')?.responses()).to.deep.equal([third, fourth, fifth]);
    store.remove(third);
    store.put(first);
    expect(store.find('k')?.responses()).to.deep.equal([fourth, fifth, first]);
    expect(store.evictions).to.equal(2);
  });

  it('a response that takes the place of the only one is the only one, and varies by its own fields alone', () => {
    const store = new MemoryStore({ maxBytes: 100_000, maxEntries: 10 });
    for (const vary of [['accept'], ['origin'], []]) {
      const one = response({ key: 'k', variant: 'v', vary, tags: [], length: 10 });
      store.put(one);
      expect(store.find('k')).to.equal(one);
      expect(store.find('k')?.varies).to.deep.equal([vary]);
    }
  });

  it('what was found can be read after it was removed, and moved before, whatever comes into its place', () => {
    const large = { variant: 'v', vary: [], tags: [], length: 15_000 };
    const waysToFind: readonly ((store: MemoryStore) => StoredResponse | undefined)[] = [
      (store) => store.find('k')?.get('v'),
      (store) => store.find('k')?.responses()[0],
    ];
    for (const find of waysToFind) {
      for (const [isAlone, isMoved] of [
        [true, true],
        [true, false],
        [false, true],
        [false, false],
      ]) {
        const store = new MemoryStore({ maxBytes: 100_000_000, maxEntries: 10_000 });
        let count = 0;
        const putMany = (many: number): StoredResponse[] => {
          const put = Array.from({ length: many }, () => response({ ...large, key: `other ${count++}` }));
          for (const each of put) store.put(each);
          return put;
        };
        store.put(response({ key: 'k', variant: 'v', vary: [], tags: ['one'], length: 10 }));
        if (!isAlone) store.put(response({ key: 'k', variant: 'w', vary: [], tags: [], length: 10 }));
        const found = find(store);
        if (found === undefined) throw new Error('No response');
        const { slab } = found.body;
        const others = putMany(isMoved ? 400 : 40);
        if (isMoved) {
          // Little is left of each slab, and of its own nothing else.
          for (const [index, each] of others.entries()) if (index < 32 || index % 10 > 0) store.remove(each);
          expect(found.body.slab).not.to.equal(slab);
        }
        store.removeWhere((each) => each.key !== 'k');
        store.removeWhere((each) => each.key === 'k');
        putMany(100);
        expect(found.head.fields.slice(0, 4)).to.deep.equal([
          'Cache-Control',
          'max-age=600',
          'Cache-Tag',
          'one',
        ]);
        expect(found.body.text).to.equal('k'.repeat(10));
      }
    }
  });

  it('removing one that was replaced leaves the other in its place', () => {
    const store = new MemoryStore({ maxBytes: 100_000, maxEntries: 10 });
    const made = { key: 'k', variant: 'v', vary: [], tags: ['one'], length: 10 };
    for (const beside of [[], [response({ ...made, variant: 'w' })]]) {
      store.clear();
      for (const each of beside) store.put(each);
      const [before, after] = [response(made), response(made)];
      store.put(before);
      store.put(after);
      store.remove(before);
      expect(store.find('k')?.get('v')).to.equal(after);
      expect(store.removeTagged('one')).to.equal(1 + beside.length);
    }
  });
});
