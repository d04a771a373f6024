import { expect } from 'chai';
import fc from 'fast-check';
import { normalisePattern, normaliseTarget, PathError } from '../../../core/routing/path.js';

const NORMALISED: readonly [target: string, path: string, query: string][] = [
  ['/', '/', ''],
  ['/a/b', '/a/b', ''],
  ['/a/b/', '/a/b/', ''],
  ['/a?x=1', '/a', '?x=1'],
  ['/?', '/', '?'],
  ['/a?b?c', '/a', '?b?c'],
  ['//a///b//', '/a/b/', ''],
  ['/%7euser', '/~user', ''],
  ['/%41%5a%2D%5f', '/AZ-_', ''],
  ['/caf%c3%a9', '/caf%C3%A9', ''],
  ['/a%20b%3F', '/a%20b%3F', ''],
  ['/%25', '/%25', ''],
  ['/.hidden/..x/x../...', '/.hidden/..x/x../...', ''],
  ['/a;v=1/b;.', '/a;v=1/b;.', ''],
  ['/%3a%40', '/%3A%40', ''],
  ['/a?..//%2e%2f%zz', '/a', '?..//%2e%2f%zz'],
  ['/a?\xe9', '/a', '?\xe9'],
];

const REFUSED: readonly [target: string, reason: RegExp][] = [
  ['/.', /dot segment/],
  ['/..', /dot segment/],
  ['/a/../b', /dot segment/],
  ['/a/%2e%2E/b', /dot segment/],
  ['/a/.%2e', /dot segment/],
  ['/a/..?x', /dot segment/],
  ['/a/..;/b', /dot segment/],
  ['/a/..;x=1/b', /dot segment/],
  ['/a/%2e.%3bx/b', /dot segment/],
  ['/a/%252e%252e/b', /dot segment/],
  ['/a/x%252f..%252fb', /dot segment/],
  ['/a%2Fb', /slash/],
  ['/a%5cb', /slash/],
  ['/a\\b', /backslash/],
  ['/a#b', /fragment/],
  ['/a?b#c', /fragment/],
  ['/%00', /control/],
  ['/%0a', /control/],
  ['/%7F', /control/],
  ['/a b', /percent-encoded/],
  ['/a\tb', /percent-encoded/],
  ['/a?b c', /percent-encoded/],
  ['/\xe9', /percent-encoded/],
  ['/%', /malformed/],
  ['/%4', /malformed/],
  ['/%g0', /malformed/],
  ['/%c0%af', /UTF-8/],
  ['/%ff', /UTF-8/],
  ['/%ed%a0%80', /UTF-8/],
];

/** What the rules say, with no regard to speed. Undefined where the target is refused. */
function naive(target: string): string | undefined {
  const [whole = ''] = target.split('?', 1);
  const query = target.slice(whole.length);
  if (/[^!-~]|[\\#]/.test(whole) || /[\s#]/.test(query)) return undefined;
  if (/%(?![0-9a-f]{2})/i.test(whole) || /%(?:2f|5c|[01].|7f)/i.test(whole)) return undefined;
  const path = whole
    .replace(/%../g, (triplet) => {
      const char = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
      return /[\w.~-]/.test(char) ? char : triplet.toUpperCase();
    })
    .replace(/\/+/g, '/');
  try {
    const twice = decodeURIComponent(path)
      .replace(/%2e/gi, '.')
      .replace(/%2f|%5c/gi, '/');
    const segments = [...decodeURIComponent(path).split(/[/\\]/), ...twice.split(/[/\\]/)];
    return segments.some((segment) => /^\.\.?(?:;|$)/.test(segment)) ? undefined : path;
  } catch {
    return undefined;
  }
}

const fragment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '/', '.', '..', 'a', 'b-c', ';', '~', '*', ':id') },
  { weight: 3, arbitrary: fc.constantFrom('%2e', '%2E', '%41', '%7e', '%c3%a9', '%25', '%3b', '%20', '%3F') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('%2f', '%5C', '%00', '%', '%c0', '\\', '#', ' ', '\xe9', '?', '%252e'),
  },
);
const target = fc.array(fragment, { maxLength: 12 }).map((parts) => `/${parts.join('')}`);

function attempt(text: string, passEncodedSlashes = false): string | undefined {
  try {
    return normaliseTarget(text, passEncodedSlashes).path;
  } catch (error) {
    expect(error).to.be.instanceOf(PathError);
    return undefined;
  }
}

describe('normaliseTarget', () => {
  for (const [given, path, query] of NORMALISED) {
    it(`makes ${JSON.stringify(given)} ${path}`, () => {
      expect(normaliseTarget(given, false)).to.deep.equal({ path, query });
    });
  }

  for (const [given, reason] of REFUSED) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      expect(() => normaliseTarget(given, false)).to.throw(PathError, reason);
    });
  }

  it('passes encoded slashes only where that is asked for, and looks for dot segments behind them', () => {
    expect(normaliseTarget('/a%2fb%5c', true).path).to.equal('/a%2Fb%5C');
    for (const path of ['/a%2f..%2fb', '/a/..%5cb', '/%2f%2e%2e']) {
      expect(() => normaliseTarget(path, true)).to.throw(PathError, /dot segment/);
    }
  });

  it('agrees with a naive reference', () => {
    fc.assert(
      fc.property(target, (text) => {
        expect(attempt(text)).to.equal(naive(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('is idempotent', () => {
    fc.assert(
      fc.property(target, fc.boolean(), (text, pass) => {
        const once = attempt(text, pass);
        if (once !== undefined) expect(attempt(once, pass)).to.equal(once);
      }),
      { numRuns: 3000 },
    );
  });

  it('never yields a doubled slash, nor a dot segment for whoever decodes it twice', () => {
    fc.assert(
      fc.property(target, fc.boolean(), (text, pass) => {
        let path = attempt(text, pass) ?? '/';
        expect(path).to.match(/^\/(?:[^/]+\/)*[^/]*$/);
        for (let round = 0; round <= 2; round++) {
          expect(path.split(/[/\\]/)).not.to.include('..').and.not.to.include('.');
          path = path.replace(/%(?:25|2e|2f|5c)/gi, decodeURIComponent);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('normalisePattern', () => {
  it('brings a pattern into the form of paths, and leaves its parameters alone', () => {
    expect(normalisePattern('/caf%c3%a9/:id/*')).to.equal('/caf%C3%A9/:id/*');
    expect(normalisePattern('/café/%7euser')).to.equal('/caf%C3%A9/~user');
    expect(normalisePattern('/😀')).to.equal('/%F0%9F%98%80');
  });
});
