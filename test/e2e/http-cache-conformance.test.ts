import { expect } from 'chai';
import {
  installSuite,
  PACKAGE,
  runSuite,
  SUITE_OPTIONS,
  type SuiteRun,
} from '../conformance/http-cache/suite.js';
import { comparable, count, notPassed, publishedResults } from '../conformance/http-cache/verdicts.js';

/*
 * The public test suite for HTTP caches (http-tests/cache-tests) against a gateway in a process of its own. It is
 * installed on the first run, in a folder of its own.
 */

describe('http cache conformance', function () {
  this.timeout(180_000);
  let run: SuiteRun;

  before(async () => {
    await installSuite();
    run = await runSuite(PACKAGE, SUITE_OPTIONS);
  });

  it('passes every required test', () => {
    const required = notPassed(run.tests, run.outcomes).filter((line) => line.startsWith('required'));
    expect(required).to.deep.equal([]);
    expect(count(run.tests, run.outcomes).required.total).to.be.greaterThan(140);
  });

  it('passes more of the optional tests than nginx, Varnish and Squid do', async () => {
    const tests = comparable(run.tests);
    const { passed, total } = count(tests, run.outcomes).optional;
    for (const peer of ['nginx', 'varnish', 'squid']) {
      const theirs = count(tests, await publishedResults(PACKAGE, peer)).optional;
      expect(passed, peer).to.be.greaterThan(theirs.passed);
    }
    console.log(`      optional: ${passed} of ${total}`);
  });
});
