import { installSuite, PACKAGE, runSuite, SUITE_OPTIONS } from './suite.js';
import { type Counts, comparable, count, notPassed, publishedResults } from './verdicts.js';

/*
 * Prints how the cache stands against the public test suite for HTTP caches, then beside the results that the suite
 * publishes of others, then what was not passed: `npx tsx test/conformance/http-cache/run.ts`.
 */

await installSuite();
const { tests, outcomes } = await runSuite(PACKAGE, SUITE_OPTIONS);
print('all tests', count(tests, outcomes));
const shared = comparable(tests);
print('comparable', count(shared, outcomes));
for (const peer of ['nginx', 'varnish', 'squid', 'trafficserver', 'apache'])
  print(peer, count(shared, await publishedResults(PACKAGE, peer)));
for (const line of notPassed(tests, outcomes)) console.log(line);

function print(name: string, { required, optional }: Counts): void {
  console.log(
    `${name.padEnd(14)} required ${required.passed} of ${required.total}, optional ${optional.passed} of ${optional.total}`,
  );
}
