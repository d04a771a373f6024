import { expect } from 'chai';
import fc from 'fast-check';
import { type Candidate, evaluate } from '../../../plugins/response-cache/evaluate.js';
import { Evaluator } from '../../../plugins/response-cache/evaluator.js';
import { DateReader } from '../../../plugins/response-cache/http-date.js';
import { type CachePolicy, UNDECLARED } from '../../../plugins/response-cache/policy.js';
import { type FieldMemory, ResponseFields } from '../../../plugins/response-cache/response-fields.js';
import { TextPool } from '../../../plugins/response-cache/text-pool.js';

const NOW = Date.UTC(2024, 0, 1);

function date(seconds: number): string {
  return new Date(NOW + seconds * 1000).toUTCString();
}

/** What a candidate can be, the usual first; the empty value stands for no such field. */
const FIELDS = {
  'Cache-Control': [
    '',
    'max-age=60',
    's-maxage=30',
    'public',
    'no-cache',
    'private="x-secret"',
    'no-cache="etag", max-age=5',
    'max-age=60, must-revalidate',
    'max-age=60, stale-while-revalidate=5',
    's-maxage=30, stale-if-error=9, proxy-revalidate',
    's-maxage=30, stale-if-error=9',
    'max-age=0',
    'max-age=x',
    'must-revalidate',
    'must-understand, no-store, max-age=1',
    'no-store',
    'private',
  ],
  Expires: ['', date(60), date(120), date(-60), '0'],
  Date: ['', date(0), date(-30), 'yesterday'],
  'Last-Modified': ['', date(-600), date(-6000), date(60), 'yesterday'],
  ETag: ['', '"1"', '"2"'],
  Vary: ['', 'accept', 'origin', 'accept, origin', '*'],
  'Content-Encoding': ['', 'gzip'],
  'Access-Control-Allow-Origin': ['', '*', 'https://a.example', 'https://b.example'],
  'Content-Type': ['', 'text/plain', 'text/event-stream'],
  Pragma: ['', 'no-cache'],
  'Set-Cookie': ['', 'a=1', 'a=2'],
  'CDN-Cache-Control': ['', 'max-age=10', 'max-age=20', 'no-store', '!'],
} as const;
const STATUSES = [200, 404, 302, 500, 299, 206, 204];
const SECONDS = [0, 1, 45, 600];

interface Situation {
  readonly fields: ReadonlyMap<string, string>;
  readonly status: number;
  readonly seconds: number;
  readonly authorization: boolean;
  readonly cookie: boolean;
  readonly partitioned: boolean;
}

const USUAL: Situation = {
  fields: new Map(),
  status: 200,
  seconds: 0,
  authorization: false,
  cookie: false,
  partitioned: false,
};

/** The first half of the time: most of what is unusual keeps a response from being stored. */
function oneOf<T>(values: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(fc.constantFrom(...values.slice(0, 1)), fc.constantFrom(...values));
}

const field = fc.oneof(
  ...Object.entries(FIELDS).map(([name, values]) =>
    oneOf<string>(values).map((value) => (before: Situation): Situation => {
      return { ...before, fields: new Map(before.fields).set(name, value) };
    }),
  ),
);
const other = fc.oneof(
  oneOf(STATUSES).map((status) => ({ status })),
  oneOf(SECONDS).map((seconds) => ({ seconds })),
  oneOf([false, true]).map((authorization) => ({ authorization })),
  oneOf([false, true]).map((cookie) => ({ cookie })),
  oneOf([false, true]).map((partitioned) => ({ partitioned })),
);
const change = fc.oneof(
  { weight: 3, arbitrary: field },
  {
    weight: 1,
    arbitrary: other.map(
      (changed) =>
        (before: Situation): Situation => ({ ...before, ...changed }),
    ),
  },
);
/** From one candidate to the next little changes, or nothing. */
const changes = fc.array(fc.array(change, { maxLength: 2 }), { minLength: 20, maxLength: 40, size: 'max' });

const policies: fc.Arbitrary<CachePolicy> = fc.record({
  ttl: fc.constantFrom(0, 50_000),
  undeclared: fc.constantFrom(...UNDECLARED),
  override: oneOf([false, true]),
  statuses: fc.constantFrom([], [200, 404]),
  staleWhileRevalidate: fc.constantFrom(0, 7000),
  staleIfError: fc.constantFrom(0, 8000),
  storeSetCookie: fc.boolean(),
  targetedFields: fc.constantFrom([], ['cdn-cache-control']),
});

const POLICY: CachePolicy = {
  ttl: 50_000,
  undeclared: 'ttl',
  override: false,
  statuses: [],
  staleWhileRevalidate: 0,
  staleIfError: 0,
  storeSetCookie: false,
  targetedFields: [],
};

/** Made anew each time: a head remembers when it was made. */
function candidate(situation: Situation, targets: readonly string[], memory?: FieldMemory): Candidate {
  const { status, seconds, authorization, cookie, partitioned } = situation;
  const fields: string[] = [];
  for (const [name, value] of situation.fields) if (value !== '') fields.push(name, value);
  return {
    status,
    fields: new ResponseFields(fields, targets, memory),
    reception: { time: NOW + seconds * 1000, delay: seconds },
    request: { authorization, cookie, partitioned },
  };
}

function fieldMemory(): FieldMemory {
  return { parseDate: new DateReader().read, same: new TextPool().same };
}

describe('response-cache: evaluator', () => {
  it('answers as evaluate, whatever came before', () => {
    const shared = { reuses: 0, refusals: 0 };
    fc.assert(
      fc.property(policies, changes, (policy, steps) => {
        const evaluator = new Evaluator(policy);
        const memory = fieldMemory();
        let situation = USUAL;
        let before: unknown;
        for (const step of steps) {
          for (const change of step) situation = change(situation);
          const answer = evaluator.of(candidate(situation, policy.targetedFields, memory));
          expect(answer).to.deep.equal(evaluate(candidate(situation, policy.targetedFields), policy));
          if (answer === before) shared[typeof answer === 'string' ? 'refusals' : 'reuses']++;
          before = answer;
        }
      }),
      { numRuns: 1500 },
    );
    expect(shared.reuses, 'shared').to.be.greaterThan(1000);
    expect(shared.refusals, 'refused as before').to.be.greaterThan(1000);
  });

  it('equal neighbours share one answer, whatever tells them apart that it does not depend on', () => {
    const rows: readonly (readonly [Partial<CachePolicy>, Record<string, string>, Record<string, string>])[] =
      [
        [{}, { 'Cache-Control': 'max-age=60' }, { 'X-Other': '1', Age: '5' }],
        [{}, { 'Cache-Control': 'max-age=60', Date: date(0) }, { Date: date(1), Expires: date(9) }],
        [{}, { 'Cache-Control': 's-maxage=60', ETag: '"1"' }, { ETag: '"2"' }],
        [{}, { 'Cache-Control': 'max-age=60', ETag: '"1"' }, { ETag: '', 'Last-Modified': date(-60) }],
        [{}, {}, { Date: date(-1) }],
        [{ override: true }, { 'Last-Modified': date(-60) }, { 'Last-Modified': date(-90), Expires: '0' }],
        [{ storeSetCookie: true }, { 'Set-Cookie': 'a=1' }, { 'Set-Cookie': 'a=2' }],
      ];
    for (const [policy, fields, changed] of rows) {
      const evaluator = new Evaluator({ ...POLICY, ...policy });
      const memory = fieldMemory();
      const answers = [fields, fields, { ...fields, ...changed }].map((each, seconds) =>
        evaluator.of(candidate({ ...USUAL, fields: new Map(Object.entries(each)), seconds }, [], memory)),
      );
      expect(answers[0], JSON.stringify(fields)).to.be.an('object');
      expect(answers[1], JSON.stringify(fields)).to.equal(answers[0]);
      expect(answers[2], JSON.stringify(changed)).to.equal(answers[0]);
    }
  });

  it('a neighbour whose lifetime hangs on dates, or that has a targeted field, changes nothing for the next', () => {
    const evaluator = new Evaluator({ ...POLICY, targetedFields: ['cdn-cache-control'] });
    const of = (fields: Record<string, string>) =>
      evaluator.of(candidate({ ...USUAL, fields: new Map(Object.entries(fields)) }, ['cdn-cache-control']));
    const plain = of({});
    expect(of({ Expires: date(20) })).to.include({ lifetime: 20_000 });
    expect(of({ Expires: date(30) })).to.include({ lifetime: 30_000 });
    expect(of({ 'CDN-Cache-Control': 'max-age=10' })).to.include({ lifetime: 10_000 });
    expect(of({ 'CDN-Cache-Control': 'max-age=40' })).to.include({ lifetime: 40_000 });
    expect(of({})).to.equal(plain);
  });
});
