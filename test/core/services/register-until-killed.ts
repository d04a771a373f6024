import { createInterface } from 'node:readline';
import { systemClock } from '../../../core/clock.js';
import { GatewayEvents } from '../../../core/events.js';
import { UpstreamPools } from '../../../core/services/pools.js';
import { ServiceRegistry } from '../../../core/services/registry.js';
import { FileServiceStore } from '../../../core/services/store.js';
import { settingsOf } from './support.js';

/** Registers services under the prefix given, and prints each name once its registration was acknowledged. */
const [path = '', prefix = ''] = process.argv.slice(2);
const registry = new ServiceRegistry({
  pools: new UpstreamPools(),
  clock: systemClock,
  events: new GatewayEvents(),
  store: new FileServiceStore(path),
  probe: async () => 200,
});
await registry.load();
registry.commit(registry.prepare({}, 'configuration'));
createInterface({ input: process.stdin }).once('close', () => process.exit(1));
for (let index = 0; ; index++) {
  const name = `${prefix}-${index}`;
  await registry.register(name, settingsOf(['http://127.0.0.1:1']));
  process.stdout.write(`${name}\n`);
}
