import { catalogue } from '../../../plugins/index.js';
import { startWebSocketUpstream } from '../../plugins/ws-proxy/sockets.js';
import { startGateway } from '../../support/gateway.js';
import { Codec } from './codec.js';
import { ECHO_OPTIONS, gatewayConfig } from './subjects.js';
import { CASES, line, runCases } from './verdicts.js';

/*
 * Prints how an echo server stands against the conformance client, directly and through the gateway in both modes:
 * `npx tsx test/conformance/websocket/run.ts [ids or groups, as 3 or 7.1.1]`. All cases without.
 */

const asked = process.argv.slice(2);
const cases = CASES.filter(
  ({ id }) => asked.length === 0 || asked.some((each) => `${id}.`.startsWith(`${each}.`)),
);
const codec = await Codec.load();
const echo = await startWebSocketUpstream(undefined, ECHO_OPTIONS);
const gateway = await startGateway(gatewayConfig(echo.url), { catalogue });
const columns = [];
for (const [name, url] of [
  ['direct', echo.url],
  ['managed', `${gateway.url}/ws/managed/`],
  ['tunnel', `${gateway.url}/ws/tunnel/`],
] as const) {
  const started = performance.now();
  const verdicts = await runCases(codec, url, cases);
  console.log(`${name}: ${cases.length} cases in ${Math.round(performance.now() - started)} ms`);
  columns.push({ name, verdicts });
}
for (const { id, title } of cases) {
  const lines = columns.map(({ name, verdicts }) => {
    const verdict = verdicts.get(id);
    return [name, verdict === undefined ? '' : line(verdict)] as const;
  });
  const same = new Set(lines.map(([, each]) => each)).size === 1;
  console.log(`${same ? 'same  ' : 'DIFFER'} ${id.padEnd(8)} ${title}: ${same ? lines[0]?.[1] : ''}`);
  if (!same) for (const [name, each] of lines) console.log(`                ${name.padEnd(8)} ${each}`);
}
await gateway.stop();
await echo.close();
