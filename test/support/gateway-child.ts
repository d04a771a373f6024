import { startGateway } from './gateway.js';

/*
 * A gateway in a process of its own, for what has to be measured of a process; see gateway-process.ts. The
 * configuration is the first argument, as JSON.
 */

const config: unknown = JSON.parse(process.argv[2] ?? '{}');
if (typeof config !== 'object' || config === null) throw new Error('The configuration is no object');
const gateway = await startGateway({ ...config });

process.on('message', (message) => {
  if (message === 'memory') process.send?.({ rss: process.memoryUsage.rss() });
  if (message === 'stop') void gateway.stop().then(() => process.disconnect());
});
process.send?.({ port: gateway.port });
