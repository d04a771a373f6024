import { expect } from 'chai';
import fc from 'fast-check';
import { RouteTree, type TreeEntry } from '../../../core/routing/route-tree.js';

const always = () => true;

function tree(...patterns: (string | [pattern: string, priority: number])[]): RouteTree<string> {
  return new RouteTree(
    patterns.map((each) => {
      const [pattern, priority] = typeof each === 'string' ? [each, 0] : each;
      return { pattern, priority, value: pattern };
    }),
  );
}

type Params = Record<string, string>;

/** The parameters of a path that a pattern fits, or undefined. */
function match(pattern: string, path: string): Params | undefined {
  const wanted = pattern.split('/').slice(1);
  const given = path.split('/').slice(1);
  const params: Params = {};
  for (const [index, segment] of wanted.entries()) {
    if (segment === '*' && index === wanted.length - 1) {
      params['*'] = given.slice(index).join('/');
      return params;
    }
    const value = given[index];
    if (value === undefined) return undefined;
    if (segment.startsWith(':')) {
      if (value === '') return undefined;
      params[segment.slice(1)] = value;
    } else if (segment !== value) {
      return undefined;
    }
  }
  return wanted.length === given.length ? params : undefined;
}

/** How specific a pattern is, segment by segment: literal 0, parameter 1, the end of the pattern 2, rest 3. */
function rank(pattern: string): string {
  const kinds = pattern
    .split('/')
    .slice(1)
    .map((segment) => (segment === '*' ? '3' : segment.startsWith(':') ? '1' : '0'));
  return `${kinds.join('')}2`;
}

/** All that fits, the best one first; entries that rank alike stay in the order they were added. */
function scan<T>(entries: readonly TreeEntry<T>[], path: string): { entry: TreeEntry<T>; params: Params }[] {
  return entries
    .flatMap((entry) => {
      const params = match(entry.pattern, path);
      return params === undefined ? [] : [{ entry, params }];
    })
    .sort(
      (a, b) =>
        b.entry.priority - a.entry.priority ||
        (rank(a.entry.pattern) < rank(b.entry.pattern)
          ? -1
          : rank(a.entry.pattern) > rank(b.entry.pattern)
            ? 1
            : 0),
    );
}

const segment = fc.constantFrom('a', 'b', 'c', 'a', ':x', ':y', '');
const pattern = fc
  .record({ segments: fc.array(segment, { maxLength: 4 }), rest: fc.boolean() })
  .map(({ segments, rest }) => {
    // Names are used once in a pattern, as the configuration demands.
    const unique = segments.map((each, index) => (each.startsWith(':') ? `:${each.slice(1)}${index}` : each));
    return `/${[...unique, ...(rest ? ['*'] : [])].join('/')}`;
  });
const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { minLength: 1, maxLength: 5 })
  .map((segments) => `/${segments.join('/')}`);
const entries = fc
  .array(fc.record({ pattern, priority: fc.integer({ min: -1, max: 1 }), accepted: fc.boolean() }), {
    maxLength: 12,
  })
  .map((list) =>
    list.map((each, index) => ({
      pattern: each.pattern,
      priority: each.priority,
      value: { index, accepted: each.accepted },
    })),
  );

describe('RouteTree', () => {
  it('prefers a literal to a parameter and a parameter to the rest, from left to right', () => {
    const routes = tree('/*', '/:a/*', '/:a/:b', '/x/*', '/x/:b', '/:a/y', '/x/y');
    const found = (each: string) => routes.find(each, always, undefined)?.value;
    expect(found('/x/y')).to.equal('/x/y');
    expect(found('/x/z')).to.equal('/x/:b');
    expect(found('/w/y')).to.equal('/:a/y');
    expect(found('/w/z')).to.equal('/:a/:b');
    expect(found('/x/z/1')).to.equal('/x/*');
    expect(found('/w/z/1')).to.equal('/:a/*');
    expect(found('/')).to.equal('/*');
  });

  it('prefers a higher priority to a more specific pattern', () => {
    const routes = tree('/x/y', ['/x/*', 5], ['/:a/y', 9]);
    expect(routes.find('/x/y', always, undefined)?.value).to.equal('/:a/y');
    expect(routes.find('/x/z', always, undefined)?.value).to.equal('/x/*');
  });

  it('goes on where a promising branch ends', () => {
    const routes = tree('/a/b/c', '/a/:x/d', '/:x/b/e');
    expect(routes.find('/a/b/d', always, undefined)).to.deep.equal({ value: '/a/:x/d', params: { x: 'b' } });
    expect(routes.find('/a/b/e', always, undefined)).to.deep.equal({ value: '/:x/b/e', params: { x: 'a' } });
    expect(routes.find('/a/b', always, undefined)).to.equal(undefined);
  });

  it('gives the rest of the path, which may be empty', () => {
    const routes = tree('/files/*');
    expect(routes.find('/files/a/b/', always, undefined)?.params).to.deep.equal({ '*': 'a/b/' });
    expect(routes.find('/files/', always, undefined)?.params).to.deep.equal({ '*': '' });
    expect(routes.find('/files', always, undefined)?.params).to.deep.equal({ '*': '' });
    expect(routes.find('/filesystem', always, undefined)).to.equal(undefined);
  });

  it('keeps parameters encoded, and does not take an empty segment for one', () => {
    const routes = tree('/q/:symbol');
    expect(routes.find('/q/a%20b', always, undefined)?.params).to.deep.equal({ symbol: 'a%20b' });
    expect(routes.find('/q/', always, undefined)).to.equal(undefined);
  });

  it('tries entries with the same pattern and priority in the order they were added', () => {
    const routes = new RouteTree<string>();
    for (const value of ['first', 'second']) routes.add({ pattern: '/a', priority: 0, value });
    const accepts = (value: string, subject: string) => value !== subject;
    expect(routes.find('/a', accepts, 'nobody')?.value).to.equal('first');
    expect(routes.find('/a', accepts, 'first')?.value).to.equal('second');
  });

  it('finds what a linear scan finds', () => {
    fc.assert(
      fc.property(entries, path, (list, asked) => {
        const routes = new RouteTree(list);
        const [best] = scan(list, asked);
        const found = routes.find(asked, always, undefined);
        expect(found?.value.index).to.equal(best?.entry.value.index);
        expect(found?.params).to.deep.equal(best?.params);
      }),
      { numRuns: 5000 },
    );
  });

  it('falls through to the next best where one is not accepted', () => {
    fc.assert(
      fc.property(entries, path, (list, asked) => {
        const routes = new RouteTree(list);
        const best = scan(list, asked).find(({ entry }) => entry.value.accepted);
        const found = routes.find(asked, (value, wanted) => value.accepted === wanted, true);
        expect(found?.value.index).to.equal(best?.entry.value.index);
        expect(found?.params).to.deep.equal(best?.params);
      }),
      { numRuns: 5000 },
    );
  });
});
