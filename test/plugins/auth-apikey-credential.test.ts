import { expect } from 'chai';
import fc from 'fast-check';
import { PublicPaths } from '../../core/index.js';
import { parameter, withoutParameter } from '../../plugins/auth-apikey/credential.js';
import { parseDateTime } from '../../plugins/auth-apikey/schema.js';

const NAME = 'api_key';
const other = fc
  .stringMatching(/^[A-Za-z0-9%=._~+!*-]{0,12}$/)
  .filter((part) => parameter(`?${part}`, NAME) === undefined);
const own = fc.constantFrom('api_key=abc', 'api%5Fkey=abc', '%61pi_key=abc', 'api_key', 'api_key=');

describe('auth-apikey: the key in the query', () => {
  const values: [string, string | undefined][] = [
    ['?a=1', undefined],
    ['?api_key=abc', 'abc'],
    ['?a=1&api_key=abc&b', 'abc'],
    ['?api%5fkey=abc', 'abc'],
    ['?api_key=a%2Bb+c', 'a+b c'],
    ['?api_key=a=b', 'a=b'],
    ['?api_key', ''],
    ['?api_key=%zz', ''],
    ['?api_key=abc&api_key=abc', ''],
    ['?api_key=abc&%61pi_key=def', ''],
    ['?API_KEY=abc', undefined],
    ['?my_api_key=abc', undefined],
  ];
  for (const [query, value] of values) {
    it(`is ${JSON.stringify(value)} in ${query}`, () => expect(parameter(query, NAME)).to.equal(value));
  }

  it('is removed in any spelling, and the rest stays byte for byte', () => {
    const parts = fc.array(fc.oneof(other, own), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(parts, (all) => {
        const rest = all.filter((part) => parameter(`?${part}`, NAME) === undefined);
        const expected = rest.length === 0 ? '/p' : `/p?${rest.join('&')}`;
        expect(withoutParameter(`/p?${all.join('&')}`, NAME)).to.equal(expected);
      }),
    );
  });

  it('leaves a path without query alone', () => {
    expect(withoutParameter('/api_key=abc', NAME)).to.equal('/api_key=abc');
    expect(withoutParameter('/p?', NAME)).to.equal('/p?');
  });
});

describe('auth-apikey: public paths', () => {
  const paths = new PublicPaths(['/api/v1/demo/health', '/api/v1/demo/open/*']);
  const table: [string, boolean][] = [
    ['/api/v1/demo/health', true],
    ['/api/v1/demo/health/', false],
    ['/api/v1/demo/healthy', false],
    ['/api/v1/demo/open/', true],
    ['/api/v1/demo/open/a/b', true],
    ['/api/v1/demo/open', false],
    ['/api/v1/demo/opened', false],
    ['/', false],
  ];
  for (const [path, expected] of table) {
    it(`${expected ? 'have' : 'have not'} ${path}`, () => expect(paths.has(path)).to.equal(expected));
  }
  it('are all with /*', () => expect(new PublicPaths(['/*']).has('/anything')).to.equal(true));
});

describe('auth-apikey: dates', () => {
  it('are read with their zone', () => {
    expect(parseDateTime('2030-01-31T01:00:00+01:00')).to.equal(Date.UTC(2030, 0, 31));
    expect(parseDateTime('2030-01-31T00:00:00.5Z')).to.equal(Date.UTC(2030, 0, 31) + 500);
  });
  for (const text of ['2030-02-30T00:00:00Z', '2030-13-01T00:00:00Z', '2030-01-01T25:00:00Z']) {
    it(`refuse ${text}`, () => expect(parseDateTime(text)).to.equal(undefined));
  }
});
