import { expect } from 'chai';
import fc from 'fast-check';
import type { StoredKey } from '../../plugins/auth-apikey/api-key.js';
import { type KeyStore, MemoryKeyStore } from '../../plugins/auth-apikey/key-store.js';
import { digestOf, displayPrefix, generateKey } from '../../plugins/auth-apikey/key-text.js';
import { Keyring } from '../../plugins/auth-apikey/keyring.js';
import { FakeClock } from '../support/fake-clock.js';

/** A store that can be told to fail, and to wait. */
class TestStore implements KeyStore {
  saved: readonly StoredKey[] = [];
  failure: Error | undefined;
  gate: Promise<void> = Promise.resolve();

  async load(): Promise<readonly StoredKey[]> {
    if (this.failure) throw this.failure;
    return this.saved;
  }

  async save(keys: readonly StoredKey[]): Promise<void> {
    await this.gate;
    if (this.failure) throw this.failure;
    this.saved = keys;
  }
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('auth-apikey: keys', () => {
  it('have 256 random bits behind their mark', () => {
    const keys = Array.from({ length: 50 }, generateKey);
    for (const key of keys) expect(key).to.match(/^gw_[A-Za-z0-9_-]{43}$/);
    expect(new Set(keys).size).to.equal(50);
    expect(displayPrefix(keys[0] ?? '')).to.match(/^gw_.{7}$/);
  });
});

describe('auth-apikey: Keyring', () => {
  it('counts a key only once it is stored', async () => {
    const store = new TestStore();
    let open = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const keyring = new Keyring(store, new FakeClock());
    const created = keyring.create({ consumer: 'alice', name: 'test' });
    await new Promise(setImmediate);
    expect(keyring.list()).to.deep.equal([]);
    open();
    const { key, record } = await created;
    expect(store.saved).to.deep.equal([record]);
    expect(keyring.find(digestOf(key))?.id).to.equal(record.id);
  });

  it('changes nothing when the store fails, and goes on after it', async () => {
    const store = new TestStore();
    const keyring = new Keyring(store, new FakeClock());
    const first = await keyring.create({ consumer: 'alice', name: 'test' });
    store.failure = new Error('no space left');
    for (const change of [
      keyring.create({ consumer: 'bob', name: 'test' }),
      keyring.rotate(first.record.id, 0),
      keyring.revoke(first.record.id),
    ]) {
      expect(await failureOf(change)).to.equal(store.failure);
    }
    store.failure = undefined;
    expect(keyring.list()).to.deep.equal([first.record]);
    expect(keyring.find(digestOf(first.key))).to.equal(first.record);
    await keyring.revoke(first.record.id);
    expect(keyring.find(digestOf(first.key))).to.equal(undefined);
  });

  it('loses none of the changes that are asked for at once', async () => {
    const store = new TestStore();
    const keyring = new Keyring(store, new FakeClock());
    const issued = await Promise.all(
      Array.from({ length: 20 }, (_, i) => keyring.create({ consumer: `c${i}`, name: 'test' })),
    );
    expect(store.saved).to.have.lengthOf(20);
    for (const { key, record } of issued) expect(keyring.find(digestOf(key))).to.equal(record);
  });

  it('reads what is stored once, and again after a failure', async () => {
    const store = new TestStore();
    const clock = new FakeClock();
    const { key } = await new Keyring(store, clock).create({ consumer: 'alice', name: 'test' });
    const keyring = new Keyring(store, clock);
    store.failure = new Error('damaged');
    expect(await failureOf(keyring.load())).to.equal(store.failure);
    store.failure = undefined;
    await keyring.load();
    store.saved = [];
    await keyring.load();
    expect(keyring.find(digestOf(key))?.consumer).to.equal('alice');
  });

  it('keeps no more keys than it may, and lets expired ones make room', async () => {
    const clock = new FakeClock();
    const keyring = new Keyring(new MemoryKeyStore(), clock, 2);
    await keyring.create({ consumer: 'a', name: 'test', expiresAt: clock.now() + 1000 });
    await keyring.create({ consumer: 'b', name: 'test' });
    const refused = await failureOf(keyring.create({ consumer: 'c', name: 'test' }));
    expect(refused).to.include({ code: 'CONFLICT' });
    clock.tick(1000);
    await keyring.create({ consumer: 'c', name: 'test' });
    expect(keyring.list().map(({ consumer }) => consumer)).to.deep.equal(['b', 'c']);
    expect(keyring.indexed).to.equal(2);
  });

  it('does not grow by keys that do not exist', () => {
    const keyring = new Keyring(new MemoryKeyStore(), new FakeClock());
    for (let i = 0; i < 1000; i++) expect(keyring.find(digestOf(`unknown ${i}`))).to.equal(undefined);
    expect(keyring.indexed).to.equal(0);
  });

  it('refuses to rotate an expired key, and to change what is not there', async () => {
    const clock = new FakeClock();
    const keyring = new Keyring(new MemoryKeyStore(), clock);
    const { record } = await keyring.create({ consumer: 'a', name: 'test', expiresAt: clock.now() + 1 });
    clock.tick(1);
    expect(await failureOf(keyring.rotate(record.id, 0))).to.include({ code: 'CONFLICT' });
    expect(await failureOf(keyring.rotate('nothing', 0))).to.include({ code: 'NOT_FOUND' });
    expect(await failureOf(keyring.revoke('nothing'))).to.include({ code: 'NOT_FOUND' });
  });

  it('behaves, over any sequence of changes and restarts, as the list of who holds what until when', async () => {
    type Step =
      | { readonly do: 'create'; readonly ttl: number | undefined }
      | { readonly do: 'rotate'; readonly pick: number; readonly overlap: number }
      | { readonly do: 'revoke'; readonly pick: number }
      | { readonly do: 'tick'; readonly ms: number }
      | { readonly do: 'restart' };
    const pick = fc.nat({ max: 20 });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({
        do: fc.constant('create' as const),
        ttl: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      }),
      fc.record({ do: fc.constant('rotate' as const), pick, overlap: fc.nat({ max: 30 }) }),
      fc.record({ do: fc.constant('revoke' as const), pick }),
      fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ do: fc.constant('restart' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const clock = new FakeClock();
        const store = new MemoryKeyStore();
        let keyring = new Keyring(store, clock);
        // The model: every key ever made, with its id, and the time from which it is not valid.
        const made: { key: string; id: string; end: number; current: boolean }[] = [];
        const ids: { id: string; end: number }[] = [];
        for (const each of steps) {
          const now = clock.now();
          const target = 'pick' in each ? ids[each.pick % Math.max(1, ids.length)] : undefined;
          switch (each.do) {
            case 'create': {
              const end = each.ttl === undefined ? Number.POSITIVE_INFINITY : now + each.ttl;
              const { key, record } = await keyring.create({
                consumer: 'c',
                name: 'test',
                ...(each.ttl === undefined ? {} : { expiresAt: end }),
              });
              made.push({ key, id: record.id, end, current: true });
              ids.push({ id: record.id, end });
              break;
            }
            case 'rotate': {
              if (target === undefined) break;
              if (now >= target.end) {
                expect(await failureOf(keyring.rotate(target.id, each.overlap))).to.include({
                  code: 'CONFLICT',
                });
                break;
              }
              const { key } = await keyring.rotate(target.id, each.overlap);
              for (const old of made.filter(({ id }) => id === target.id)) {
                old.end = old.current ? Math.min(old.end, now + each.overlap) : Math.min(old.end, now);
                old.current = false;
              }
              made.push({ key, id: target.id, end: target.end, current: true });
              break;
            }
            case 'revoke': {
              if (target === undefined) break;
              await keyring.revoke(target.id);
              for (const old of made) if (old.id === target.id) old.end = 0;
              ids.splice(ids.indexOf(target), 1);
              break;
            }
            case 'tick':
              clock.tick(each.ms);
              break;
            case 'restart':
              keyring = new Keyring(store, clock);
              await keyring.load();
              break;
          }
          for (const { key, id, end } of made) {
            const expected = clock.now() < end ? id : undefined;
            expect(keyring.find(digestOf(key))?.id).to.equal(expected);
          }
          expect(keyring.list().map(({ id }) => id)).to.have.members(ids.map(({ id }) => id));
          expect(keyring.indexed).to.be.at.most(2 * ids.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
