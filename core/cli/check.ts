import { inspect } from './inspect.js';
import type { CommandContext } from './program.js';
import { table } from './table.js';

/** `gateway check`: validates the configuration as a start would, and prints what would run. */
export async function check(context: CommandContext): Promise<number> {
  const { print } = context;
  await inspect(context, ({ configuration: { settings, file, warnings }, generation }) => {
    print(`configuration: ${file ?? 'none found: the defaults apply'}`);
    print(`listens on:    ${settings.tls ? 'https' : 'http'}://${settings.host}:${settings.port}`);
    print(`plugins:       ${generation.plugins.map(({ id }) => id).join(' > ') || 'none'}`);
    print('services:');
    const rows = Object.entries(settings.services).map(([name, { targets }]) => [
      name,
      targets.map(({ url, weight }) => (weight === 1 ? url : `${url} (weight ${weight})`)).join(', '),
    ]);
    for (const line of table(rows)) print(`  ${line}`);
    print(`routes:        ${settings.routes.length} of its own, ${rows.length} built in`);
    for (const warning of warnings) print(`warning: ${warning}`);
    print('The configuration is valid.');
  });
  return 0;
}
