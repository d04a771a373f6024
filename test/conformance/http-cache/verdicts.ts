import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isCorrected } from './corrections.js';
import type { Outcomes, SuiteTest } from './suite.js';

/** What a result means, as the suite's own pages show it. */
type Verdict = 'pass' | 'fail' | 'setup' | 'dependency' | 'yes' | 'no' | 'untested';

/** How many tests of one kind passed. */
interface Count {
  passed: number;
  total: number;
}

/** By kind; tests that only ask what a cache does are not counted. */
export interface Counts {
  readonly required: Count;
  readonly optional: Count;
}

/** The verdict on a test; one whose precondition failed says nothing. */
function verdict(tests: ReadonlyMap<string, SuiteTest>, id: string, outcomes: Outcomes): Verdict {
  const test = tests.get(id);
  const outcome = outcomes[id];
  if (test === undefined || outcome === undefined) return 'untested';
  for (const dependency of test.depends_on ?? []) {
    const before = verdict(tests, dependency, outcomes);
    if (before !== 'pass' && before !== 'yes') return 'dependency';
  }
  if (outcome !== true && outcome[0] === 'Setup') return 'setup';
  if (test.kind === 'check') return outcome === true ? 'yes' : 'no';
  return outcome === true ? 'pass' : 'fail';
}

/** How many tests passed, of all that apply to a shared cache. */
export function count(tests: readonly SuiteTest[], outcomes: Outcomes): Counts {
  const counts: Counts = { required: { passed: 0, total: 0 }, optional: { passed: 0, total: 0 } };
  const byId = new Map(tests.map((test) => [test.id, test]));
  for (const test of tests) {
    if (test.kind === 'check') continue;
    const kind = test.kind === 'optimal' ? counts.optional : counts.required;
    kind.total++;
    if (verdict(byId, test.id, outcomes) === 'pass') kind.passed++;
  }
  return counts;
}

/** One line for each test that was not passed: its kind, its id, what happened. */
export function notPassed(tests: readonly SuiteTest[], outcomes: Outcomes): string[] {
  const byId = new Map(tests.map((test) => [test.id, test]));
  return tests
    .filter((test) => test.kind !== 'check' && verdict(byId, test.id, outcomes) !== 'pass')
    .map((test) => {
      const outcome = outcomes[test.id];
      const what = verdict(byId, test.id, outcomes);
      return `${test.kind ?? 'required'} ${what} ${test.id}: ${Array.isArray(outcome) ? outcome[1] : ''}`;
    });
}

/** The tests that all caches were held against: those that are as they were published. */
export function comparable(tests: readonly SuiteTest[]): SuiteTest[] {
  return tests.filter((test) => !isCorrected(test));
}

/** What the suite publishes of another cache. */
export async function publishedResults(directory: string, peer: string): Promise<Outcomes> {
  return JSON.parse(await readFile(join(directory, 'results', `${peer}.json`), 'utf8')) as Outcomes;
}
