import { expect } from 'chai';
import fc from 'fast-check';
import { compileRewrite } from '../../../core/routing/rewrite.js';

const ROWS: readonly [template: string, params: Record<string, string>, path: string][] = [
  ['/', {}, '/'],
  ['/api/v1/quotes', { symbol: 'x' }, '/api/v1/quotes'],
  ['/api/v1/quotes/:symbol', { symbol: 'BTC' }, '/api/v1/quotes/BTC'],
  ['/:b/x/:a', { a: '1', b: '2' }, '/2/x/1'],
  ['/files/*', { '*': 'a/b/' }, '/files/a/b/'],
  ['/files/*', { '*': '' }, '/files/'],
  ['/:a/*', { a: 'x', '*': 'y/z' }, '/x/y/z'],
  ['/:a', { a: '$&%24' }, '/$&%24'],
];

describe('compileRewrite', () => {
  for (const [template, params, path] of ROWS) {
    it(`${template} with ${JSON.stringify(params)} gives ${path}`, () => {
      expect(compileRewrite(template)(params)).to.equal(path);
    });
  }

  it('puts each value in as it was matched, in its own segment', () => {
    const value = fc.stringMatching(/^[a-z%0-9;:@$&~-]{1,12}$/);
    fc.assert(
      fc.property(value, value, (first, second) => {
        const path = compileRewrite('/x/:first/y/:second')({ first, second });
        expect(path.split('/')).to.deep.equal(['', 'x', first, 'y', second]);
      }),
    );
  });
});
