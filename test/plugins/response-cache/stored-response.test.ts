import { expect } from 'chai';
import fc from 'fast-check';
import { serialiseFields } from '../../../core/index.js';
import { BodySlabs, MOST_IN_SLAB } from '../../../plugins/response-cache/body-slabs.js';
import { MemoryStore } from '../../../plugins/response-cache/memory-store.js';
import { StoredBody } from '../../../plugins/response-cache/stored-body.js';
import { headText, StoredHead } from '../../../plugins/response-cache/stored-head.js';
import type { StoredResponse } from '../../../plugins/response-cache/stored-response.js';
import { type Made, stored } from './stored.js';

const MB = 1024 * 1024;
const NOW = Date.UTC(2024, 0, 1);
const DATE = new Date(NOW).toUTCString();

function response(made: Made, content: Buffer | string | StoredBody): StoredResponse {
  return stored({ arrivedOn: NOW, ...made }, content);
}

const name = fc.oneof(
  fc.constantFrom('Date', 'ETag', 'etag', 'Last-Modified', 'Content-Length', 'Connection', 'X-A', 'x-a'),
  fc.stringMatching(/^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,20}$/),
);
const value = fc.oneof(
  fc.constantFrom('', 'a: b', ': ', '"quoted, \\" text"', "W/''", 'a\tb', 'Grüße, señor', '0', '7', DATE),
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
);
const fieldLists = fc
  .array(fc.tuple(name, value), { minLength: 1, maxLength: 12 })
  .map((list) => list.flat());

function head(fields: readonly string[], length = 7): StoredHead {
  return new StoredHead(headText(fields), length, NOW);
}

/** Nine of ten go, those of the first slabs first, so that what little is left there is moved. */
function emptySlabs(store: MemoryStore): void {
  const others = Array.from({ length: 400 }, (_, index) =>
    response({ key: `other ${index}` }, 'x'.repeat(MOST_IN_SLAB - 1000)),
  );
  for (const each of others) store.put(each);
  for (const [index, each] of others.entries()) if (index < 32 || index % 10 > 0) store.remove(each);
}

describe('response-cache: stored responses', () => {
  it('a head has the fields that its text was made of, from a slab as well', () => {
    fc.assert(
      fc.property(fieldLists, fc.string(), (fields, key) => {
        expect(head(fields).fields).to.deep.equal(fields);
        const slabs = new BodySlabs(MB);
        const body = new StoredBody(Buffer.from(key), headText(fields));
        slabs.add(body);
        expect(body.slab).not.to.equal(undefined);
        expect(new StoredHead(body.head, body.length, NOW).fields).to.deep.equal(fields);
      }),
    );
  });

  it('a head is sent as its fields are', () => {
    let sent = 0;
    fc.assert(
      fc.property(fieldLists, fc.constantFrom(0, 7), fc.boolean(), (some, length, whole) => {
        const fields = whole ? ['X-First', 'ü', ...some, 'date', DATE] : some;
        const one = head(fields, length);
        const lines = serialiseFields(fields, length);
        if (lines !== undefined) sent++;
        expect(one.lines).to.equal(lines);
        expect(one.lines, 'the second time').to.equal(lines);
        expect(one.length).to.equal(length);
      }),
    );
    expect(sent).to.be.greaterThan(10);
    expect(head(['Date', DATE, 'X-A', '']).lines).to.equal(`Date: ${DATE}\r\nX-A: \r\nContent-Length: 7\r\n`);
    expect(head(['Date', DATE, 'Content-Length', '8']).lines).to.equal(undefined);
  });

  it('a head of a 304 leaves out what describes the body, and the date of it beside an entity tag', () => {
    const kept = [
      'Date',
      DATE,
      'Content-Location',
      '/a',
      'Vary',
      'accept',
      'X-Content-Type',
      'x',
      'X-Empty',
      '',
    ];
    const left = [
      'Content-Type',
      'a/b',
      'content-length',
      '7',
      'CONTENT-ENCODING',
      'br',
      'Accept-Ranges',
      'none',
    ];
    const modified = ['last-modified', DATE];
    const tag = ['etag', '"1"'];
    const { notModified } = head([...left, ...kept, ...modified]);
    expect(notModified).to.deep.equal({ fields: [...kept, ...modified], lines: undefined, length: 0 });
    const tagged = head([...modified, ...kept, ...left, ...tag]);
    expect(tagged.notModified.fields).to.deep.equal([...kept, ...tag]);
    expect(tagged.notModified).to.equal(tagged.notModified);
    expect(tagged.fields).to.include.members(modified);
  });

  it('a head has the first of each validator', () => {
    const one = head([
      'X-ETag',
      'no',
      'eTAG',
      '"1"',
      'ETag',
      '"2"',
      'Last-modified',
      DATE,
      'Last-Modified',
      'x',
    ]);
    expect(one).to.include({ etag: '"1"', lastModified: DATE, modifiedAt: NOW, date: NOW });
    expect(head(['Last-Modified', 'yesterday'])).to.include({
      lastModified: 'yesterday',
      modifiedAt: undefined,
    });
    expect(head(['Date', DATE])).to.include({
      etag: undefined,
      lastModified: undefined,
      modifiedAt: undefined,
    });
    // A value is no name.
    expect(head(['X-A', 'etag', 'X-B', 'last-modified']).etag).to.equal(undefined);
  });

  it('has the fields that may be stored, with a date and its length', () => {
    const fields = ['X-A', '1', 'Age', '5', 'x-secret', '2', 'Content-Length', '9', 'ETag', '"1"'];
    const rows: readonly (readonly [Made, readonly string[]])[] = [
      [{}, ['X-A', '1', 'x-secret', '2', 'ETag', '"1"', 'Date', DATE, 'Content-Length', '4']],
      [{ omitted: ['x-secret', 'etag'] }, ['X-A', '1', 'Date', DATE, 'Content-Length', '4']],
      [{ status: 204 }, ['X-A', '1', 'x-secret', '2', 'ETag', '"1"', 'Date', DATE]],
    ];
    for (const [made, expected] of rows) {
      for (const content of ['text', Buffer.from('text'), new StoredBody('text')]) {
        const one = response({ ...made, fields }, content);
        expect(one.head.fields).to.deep.equal(expected);
        expect(one.head.length).to.equal(4);
        expect(one.head).to.equal(one.head);
      }
    }
    const dated = ['date', new Date(NOW - 5000).toUTCString()];
    const one = response({ fields: dated }, '');
    expect(one.head.fields).to.deep.equal([...dated, 'Content-Length', '0']);
    expect(one.date).to.equal(NOW - 5000);
  });

  it('is by itself all that there is for its URL', () => {
    const one = response({ vary: ['accept'] }, 'text');
    expect(one.get('v')).to.equal(one);
    expect(one.get('w')).to.equal(undefined);
    expect(one.responses()).to.deep.equal([one]);
    expect(one.varies).to.deep.equal([['accept']]);
    expect(response({}, 'text').varies).to.deep.equal([[]]);
  });

  it('counts all its texts, those of its head twice more', () => {
    const text = (most: number) => fc.integer({ min: 0, max: most }).map((length) => 'x'.repeat(length));
    fc.assert(
      fc.property(
        fc.record({
          key: text(9000),
          variant: text(9000),
          value: text(9000),
          tag: text(9000),
          many: fc.nat(200),
        }),
        fc.oneof(fc.nat(20_000), fc.constantFrom(0, MOST_IN_SLAB, 200_000)),
        ({ key, variant, value, tag, many }, length) => {
          const tags = Array.from({ length: many }, (_, index) => `t${index}`);
          const others = tags.flatMap((name) => [name, '']);
          const fields = ['X-A', value, 'Cache-Tag', [tag, ...tags].join(), ...others];
          const one = response({ key, variant, fields }, Buffer.alloc(length));
          const { room } = one.body;
          expect(room).to.equal(length + headText(one.head.fields).length);
          const head = one.head.lines?.length ?? 0;
          const inTags = one.tags.join('').length;
          expect(one.size).to.be.at.least(key.length + variant.length + room + 2 * head + inTags);
          expect(response({ key, variant, fields }, 'x'.repeat(length)).size).to.equal(one.size);
        },
      ),
    );
  });

  it('counts the slab that it may keep from being given back', () => {
    const small = response({}, Buffer.alloc(8000));
    expect(small.size - response({}, '').size).to.be.greaterThan(8990);
    const large = response({}, Buffer.alloc(80_000));
    expect(large.size - response({}, '').size).to.be.within(79_800, 80_200);
  });

  it('an update has a head of its own, and the body of the one before', () => {
    for (const content of ['text', Buffer.from('text'), Buffer.alloc(MOST_IN_SLAB, 'x'), '']) {
      const { length } = content;
      const first = response({ fields: ['X-A', 'ä', 'ETag', '"1"'] }, content);
      const updated = response({ fields: ['X-A', 'ö', 'X-B', '', 'ETag', '"2"'] }, first.body);
      const store = new MemoryStore({ maxBytes: 64 * MB, maxEntries: 100_000 });
      const check = (when: string) => {
        expect(updated.body, when).to.equal(first.body);
        expect(updated.head.etag, when).to.equal('"2"');
        const fields = ['X-A', 'ö', 'X-B', '', 'ETag', '"2"', 'Date', DATE, 'Content-Length', String(length)];
        expect(updated.head.fields, when).to.deep.equal(fields);
        expect(updated.head.lines, when).to.equal(serialiseFields(fields, length));
        expect(updated.body.text === content.toString(), when).to.equal(true);
      };
      store.put(first);
      expect(store.find('k')).to.equal(first);
      check('before');
      store.remove(first);
      store.put(updated);
      const { slab } = updated.body;
      check('removed');
      emptySlabs(store);
      if (length > 0 && length < MOST_IN_SLAB) expect(updated.body.slab).not.to.equal(slab);
      expect(store.find('k')).to.equal(updated);
      check('emptied');
      store.clear();
      check('cleared');
      // Read for the first time now, as by somebody who was about to be answered with it.
      expect(first.head.fields).to.deep.equal([
        'X-A',
        'ä',
        'ETag',
        '"1"',
        'Date',
        DATE,
        'Content-Length',
        String(length),
      ]);
    }
  });

  it('both have their heads where an update is another variant, and one of them goes', () => {
    for (const goes of ['first', 'updated'] as const) {
      const store = new MemoryStore({ maxBytes: 64 * MB, maxEntries: 100_000 });
      const first = response({ fields: ['X-A', '1'] }, 'text');
      const updated = response({ variant: 'w', fields: ['X-A', '2'] }, first.body);
      store.put(first);
      store.put(updated);
      expect(store.find('k')?.responses()).to.deep.equal([first, updated]);
      store.remove(goes === 'first' ? first : updated);
      const { slab } = first.body;
      emptySlabs(store);
      expect(first.body.slab).not.to.equal(slab);
      expect(first.body.users).to.equal(1);
      expect(first.head.fields.slice(0, 2)).to.deep.equal(['X-A', '1']);
      expect(updated.head.fields.slice(0, 2)).to.deep.equal(['X-A', '2']);
      expect(updated.body.text).to.equal('text');
      expect(store.find('k')).not.to.equal(undefined);
    }
  });

  it('an update counts the head before it, which stays with the body', () => {
    const first = response({ fields: ['X-A', 'x'.repeat(8000)] }, 'text');
    const updated = response({ fields: ['X-A', 'x'] }, first.body);
    expect(updated.size).to.be.at.least(first.body.room + 2 * headText(updated.head.fields).length);
  });
});
