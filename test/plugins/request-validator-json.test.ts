import { expect } from 'chai';
import fc from 'fast-check';
import { type Scan, scanJson } from '../../plugins/request-validator/json-scan.js';

const ALL = { maxDepth: 1000, duplicateKeys: true, prototypeKeys: true, inexactNumbers: true };

/** JSON as a tree that can say things twice, which no JavaScript object can. */
type Tree =
  | { kind: 'scalar'; text: string }
  | { kind: 'list'; items: Tree[] }
  | { kind: 'object'; members: [string, Tree][] };

const key = fc.oneof(
  fc.constantFrom('a', 'b', '__proto__', 'constructor', 'prototype', 'a/b', '~', '"', '\\', '\u0000', '😀'),
  fc.string(),
);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    fc.record({ kind: fc.constant('scalar' as const), text: scalar() }),
    fc.record({ kind: fc.constant('list' as const), items: fc.array(tie('tree'), { maxLength: 4 }) }),
    fc.record({
      kind: fc.constant('object' as const),
      members: fc.array(fc.tuple(key, tie('tree')), { maxLength: 12 }),
    }),
  ),
}));

function scalar() {
  return fc.oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true', 'false', '0', '-1.5e3', '"[{"', '"\\\\"', '"\\""', '"}]\\\\\\""'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  );
}

/** Writes a tree with random white space, and keys with random escapes. */
function write(node: Tree, random: () => number): string {
  const gap = () => [' ', '', '\n\t', '\r\n '][random() % 4] ?? '';
  if (node.kind === 'scalar') return `${gap()}${node.text}${gap()}`;
  if (node.kind === 'list')
    return `${gap()}[${gap()}${node.items.map((item) => write(item, random)).join(',')}]${gap()}`;
  const members = node.members.map(
    ([name, child]) => `${gap()}"${escaped(name, random)}"${gap()}:${write(child, random)}`,
  );
  return `{${members.join(',')}${gap()}}${gap()}`;
}

function escaped(name: string, random: () => number): string {
  return [...Array(name.length).keys()]
    .map((at) => {
      const unit = name[at] ?? '';
      const hex = `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`;
      return random() % 3 === 0 ? hex : JSON.stringify(unit).slice(1, -1);
    })
    .join('');
}

function depthOf(node: Tree): number {
  if (node.kind === 'scalar') return 0;
  const children = node.kind === 'list' ? node.items : node.members.map(([, child]) => child);
  return 1 + Math.max(0, ...children.map(depthOf));
}

function pointer(parent: string, name: string | number): string {
  return `${parent}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The faults as a plain walk over the tree finds them. */
function expectedFaults(node: Tree, path = '', under = ''): string[] {
  if (node.kind === 'scalar') return [];
  if (node.kind === 'list')
    return node.items.flatMap((item, position) => expectedFaults(item, pointer(path, position), ''));
  return node.members.flatMap(([name, child], position) => {
    const at = pointer(path, name);
    const isTwice = node.members.slice(0, position).some(([before]) => before === name);
    const isPrototype = name === '__proto__' || (name === 'prototype' && under === 'constructor');
    return [
      ...(isTwice ? [`duplicateKeys ${at}`] : []),
      ...(isPrototype ? [`prototypeKeys ${at}`] : []),
      ...expectedFaults(child, at, name),
    ];
  });
}

function faultsOf({ faults }: Scan): string[] {
  return faults.map(({ keyword, path }) => `${keyword} ${path}`);
}

describe('scanJson', () => {
  it('finds the same faults as a walk over the tree that the text was written from', () => {
    fc.assert(
      fc.property(tree, fc.infiniteStream(fc.nat(11)), (node, stream) => {
        const text = write(node, () => stream.next().value ?? 0);
        JSON.parse(text);
        const wanted = expectedFaults(node);
        fc.pre(wanted.length < 100 && wanted.every((fault) => fault.length < 500));
        const scan = scanJson(text, { ...ALL, inexactNumbers: false });
        expect(faultsOf(scan)).to.deep.equal(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('agrees on the depth', () => {
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 8 }), (node, maxDepth) => {
        const text = write(node, () => 0);
        const { faults } = scanJson(text, { ...ALL, maxDepth });
        expect(faults.some(({ keyword }) => keyword === 'maxDepth')).to.equal(depthOf(node) > maxDepth);
      }),
      { numRuns: 500 },
    );
  });

  it('counts no fewer values than there are', () => {
    const countOf = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Object.values(value).reduce<number>((sum, child) => sum + countOf(child), 0)
        : 1;
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(scanJson(text, ALL).values).to.be.at.least(countOf(JSON.parse(text)));
      }),
    );
  });

  it('ends on any text, valid or not', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '1', '-', 'e', 'x', ' ', '\\u12');
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        (text) => {
          scanJson(text, ALL);
          let isValid = true;
          try {
            JSON.parse(text);
          } catch {
            isValid = false;
          }
          if (isValid)
            expect(
              faultsOf(scanJson(text, { ...ALL, duplicateKeys: false, inexactNumbers: false })),
            ).to.deep.equal([]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  for (const [text, faults] of [
    ['{"a":1,"\\u0061":2}', ['duplicateKeys /a']],
    ['{"\\u0061":1,"a":2}', ['duplicateKeys /a']],
    ['{"a":{"a":1},"b":[{"a":1},{"a":1}]}', []],
    ['[{"x":1,"y":{"z":0,"z":0}}]', ['duplicateKeys /0/y/z']],
    ['{"a":1,"A":2}', []],
    ['{"":1,"":2}', ['duplicateKeys /']],
    ['{"a":"a","b":"a"}', []],
    ['{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"3":0}', ['duplicateKeys /3']],
    ['{"\\ud83d\\ude00":1,"😀":2}', ['duplicateKeys /😀']],
    ['{"__proto__":1}', ['prototypeKeys /__proto__']],
    ['{"\\u005f_proto__":1}', ['prototypeKeys /__proto__']],
    ['{"a":"__proto__"}', []],
    ['{"constructor":"Ferrari","prototype":"P1"}', []],
    ['{"constructor":{"prototype":{}}}', ['prototypeKeys /constructor/prototype']],
    ['{"constructor":[{"prototype":{}}]}', []],
    ['{"x":{"constructor":{"a":1,"prototype":{}}}}', ['prototypeKeys /x/constructor/prototype']],
    ['[9007199254740991,-9007199254740991,0.1,1e22,1.5]', []],
    ['[9007199254740993]', ['inexactNumber /0']],
    ['{"id":12345678901234567890}', ['inexactNumber /id']],
    ['{"n":1e999}', ['inexactNumber /n']],
    ['[9007199254740992]', []],
  ] satisfies [string, string[]][]) {
    it(`${text}: ${faults.length === 0 ? 'nothing' : faults.join(', ')}`, () => {
      expect(faultsOf(scanJson(text, ALL))).to.deep.equal(faults);
    });
  }

  it('stays linear where quotes, escapes, keys and levels abound', () => {
    const started = performance.now();
    for (const text of [
      '['.repeat(1_000_000),
      `"${'\\'.repeat(1_000_000)}`,
      `"${'\\"'.repeat(500_000)}"`,
      `{${Array.from({ length: 100_000 }, (_, at) => `"k${at}":0`).join(',')}}`,
      `{${'"a":0,'.repeat(100_000)}"a":0}`,
      `${'{"a":'.repeat(1000)}0${'}'.repeat(1000)}`,
    ]) {
      scanJson(text, ALL);
    }
    expect(performance.now() - started).to.be.below(3000);
  });
});
