import { expect } from 'chai';
import fc from 'fast-check';
import { parseRange } from '../../../plugins/response-cache/byte-range.js';
import { parseCacheControl, seconds } from '../../../plugins/response-cache/cache-control.js';
import { Fetches } from '../../../plugins/response-cache/fetches.js';
import { parseHttpDate } from '../../../plugins/response-cache/http-date.js';
import { Recorder } from '../../../plugins/response-cache/recorder.js';
import { parseTargeted } from '../../../plugins/response-cache/targeted.js';
import { normalised, parseVary } from '../../../plugins/response-cache/vary.js';

const NOW = Date.UTC(2024, 0, 1);

describe('response-cache: mechanisms', () => {
  it('parseCacheControl reads tokens, quoted strings and what is between them', () => {
    const rows: readonly (readonly [string, Record<string, string>])[] = [
      ['', {}],
      ['max-age=60', { 'max-age': '60' }],
      [' , No-Store ,,Public', { 'no-store': '', public: '' }],
      ['private="a, b", max-age=1', { private: 'a, b', 'max-age': '1' }],
      ['private="a", private="b"', { private: 'a, b' }],
      ['private="a", private', { private: '' }],
      ['x="say \\"hi, you\\"", no-cache', { x: 'say "hi, you"', 'no-cache': '' }],
      ['x="never closed, no-store', { x: '"never closed, no-store' }],
      ['max-age =60, no cache, =5', {}],
      ['max-age=1, max-age=2', { 'max-age': '1' }],
    ];
    for (const [field, expected] of rows)
      expect(Object.fromEntries(parseCacheControl(field)), field).to.deep.equal(expected);
  });

  it('seconds are whole, not negative, and at most 2^31', () => {
    const rows = { 60: 60, '007': 7, '-1': 0, '1.5': 0, x: 0, '': 0, 99999999999: 2 ** 31 };
    for (const [text, expected] of Object.entries(rows))
      expect(seconds(new Map([['max-age', text]]), 'max-age'), text).to.equal(expected);
    expect(seconds(new Map(), 'max-age')).to.equal(undefined);
  });

  it('parseTargeted reads dictionaries of structured fields, and nothing else', () => {
    const rows: readonly (readonly [string, Record<string, string> | undefined])[] = [
      ['max-age=60', { 'max-age': '60' }],
      ['max-age=60;a=b;c, must-revalidate', { 'max-age': '60', 'must-revalidate': '' }],
      ['max-age=1, max-age=2', { 'max-age': '2' }],
      ['no-store=?0, private=?1', { private: '' }],
      ['max-age="60", public', { public: '' }],
      ['max-age=-5, public', { public: '' }],
      ['max-age=1.5, public', { public: '' }],
      ['private="x-a", a=(1 "b" c), b=:YQ==:, c=@1', { private: 'x-a' }],
      ['', undefined],
      ['Max-Age=60', undefined],
      ['max-age=60,', undefined],
      ['max-age = 60', undefined],
      ['max-age=60 public', undefined],
      ['a="b', undefined],
      ['a=(1 2', undefined],
      ['a=&', undefined],
    ];
    for (const [field, expected] of rows) {
      const read = parseTargeted(field);
      expect(read && Object.fromEntries(read), field).to.deep.equal(expected);
    }
    fc.assert(fc.property(fc.string(), (text) => void parseTargeted(text)));
  });

  it('parseHttpDate reads the three forms of any date', () => {
    const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
    fc.assert(
      fc.property(
        fc.date({ min: new Date(NOW - 49 * 365 * 86_400_000), max: new Date(NOW), noInvalidDate: true }),
        (date) => {
          const whole = Math.floor(date.getTime() / 1000) * 1000;
          const utc = new Date(whole).toUTCString();
          const [day = '', dd = '', month = '', year = '', time = ''] = utc.split(/,? /);
          expect(parseHttpDate(utc, NOW)).to.equal(whole);
          expect(parseHttpDate(utc.toUpperCase(), NOW)).to.equal(whole);
          const long = days[new Date(whole).getUTCDay()];
          expect(parseHttpDate(`${long}, ${dd}-${month}-${year.slice(2)} ${time} GMT`, NOW)).to.equal(whole);
          expect(parseHttpDate(`${day} ${month} ${dd.replace(/^0/, ' ')} ${time} ${year}`, NOW)).to.equal(
            whole,
          );
        },
      ),
    );
    for (const text of [
      '',
      '0',
      'Sun, 31 Feb 2044 08:49:37 GMT',
      'Sun, 06 Nov 2044 24:00:00 GMT',
      'Sun, 06 Nov 2044 08:49:37 +0000',
      'Sun, 06 Nov 2044 08:49 GMT',
    ])
      expect(parseHttpDate(text, NOW), text).to.equal(undefined);
  });

  it('a range is within the body, or cannot be met', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.option(fc.nat(60)), fc.option(fc.nat(60)), (length, from, to) => {
        const range = parseRange(`bytes=${from ?? ''}-${to ?? ''}`, length);
        if (range === undefined || range === 'unsatisfiable') return;
        expect(range.first).to.be.within(0, range.last);
        expect(range.last).to.be.lessThan(length);
        if (from !== null) expect(range.first).to.equal(from);
      }),
    );
  });

  it('Vary is a set of names, and what says the same is the same', () => {
    expect(parseVary('B, a , ,b')).to.deep.equal(['a', 'b']);
    expect(parseVary('a, *')).to.equal(undefined);
    const same = [
      ['accept-encoding', 'gzip, br', 'BR,gzip;q=1, zstd;q=0.0'],
      ['accept', 'text/html;q=0.5, */*', '*/*,text/html ; q=0.5'],
      ['x-any', 'a , b', 'a,b'],
    ] as const;
    for (const [name, one, other] of same) expect(normalised(name, one)).to.equal(normalised(name, other));
    const different = [
      ['accept-encoding', 'gzip', 'gzip, identity;q=0'],
      ['accept-language', 'en, de', 'en, de;q=0.5'],
      ['x-any', 'a, b', 'b, a'],
      ['x-any', '"a ,b"', '"a,b"'],
      ['x-any', 'A', 'a'],
      ['x-any', undefined, ''],
      ['x-any', undefined, '-'],
    ] as const;
    for (const [name, one, other] of different)
      expect(normalised(name, one), `${one} ${other}`).not.to.equal(normalised(name, other));
  });

  it('a recorder gives the whole body, or says why not, and frees its budget', () => {
    const record = (
      declared: number | undefined,
      limit: number,
      most: number,
      act: (recorder: Recorder) => void,
    ) => {
      const budget = { bytes: 0, most };
      const heard: string[] = [];
      const recorder = new Recorder({
        limit,
        declared,
        budget,
        isAwaited: () => false,
        onWhole: (body) => heard.push(body.toString()),
        onFailure: (reason) => heard.push(reason),
      });
      act(recorder);
      expect(budget.bytes).to.equal(0);
      expect(recorder.outlives()).to.equal(false);
      return heard.join();
    };
    const write =
      (...chunks: string[]) =>
      (recorder: Recorder) => {
        for (const chunk of chunks) recorder.write(Buffer.from(chunk));
        recorder.end();
      };
    expect(record(undefined, 10, 10, write('ab', 'cd'))).to.equal('abcd');
    expect(record(4, 10, 10, write('ab', 'cd'))).to.equal('abcd');
    expect(record(5, 10, 10, write('ab', 'cd'))).to.equal('broken-off');
    expect(record(undefined, 3, 10, write('ab', 'cd', 'ef'))).to.equal('too-large');
    expect(record(undefined, 10, 3, write('ab', 'cd'))).to.equal('too-large');
    const breakOff = (recorder: Recorder) => {
      recorder.write(Buffer.from('ab'));
      recorder.fail();
      recorder.end();
    };
    expect(record(undefined, 10, 10, breakOff)).to.equal('broken-off');
  });

  it('a purge voids all that is under way for its key, nobody waits for what has landed, and nothing is left in the end', () => {
    const key = fc.constantFrom('a', 'b');
    const awaitedBy = fc.constantFrom('x', 'y', undefined);
    const order = fc.array(fc.tuple(key, awaitedBy, fc.nat(5), fc.boolean()), { maxLength: 20 });
    fc.assert(
      fc.property(order, (steps) => {
        const fetches = new Fetches();
        const open: ReturnType<Fetches['begin']>[] = [];
        for (const [key, awaitedBy, position, landsOnly] of steps) {
          open.push(fetches.begin(key, 'demo', awaitedBy));
          if (landsOnly) open[position]?.land('unusable');
          else for (const ended of open.splice(position, 1)) fetches.end(ended, 'stored');
          for (const wanted of ['x', 'y']) {
            const fits = open.filter((each) => each.key === key && each.awaitedBy === wanted && !each.landed);
            expect(fetches.awaited(key, wanted)).to.equal(fits.at(-1));
          }
        }
        fetches.voidKey('a');
        expect(open.map(({ key, voided }) => (key === 'a') === voided)).to.not.include(false);
        for (const each of open) fetches.end(each, 'stored');
        let left = 0;
        fetches.voidWhere(() => {
          left++;
          return false;
        });
        expect(left).to.equal(0);
      }),
    );
  });
});
