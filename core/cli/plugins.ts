import { inspect } from './inspect.js';
import type { CommandContext } from './program.js';
import { table } from './table.js';

/** `gateway plugins`: the plugins in the order they run, then those that are available and not configured. */
export async function listPlugins(context: CommandContext): Promise<number> {
  const { catalogue, print } = context;
  const configured = await inspect(context, ({ configuration }) => configuration.settings.plugins);
  const rows = configured.map(({ id, use, enabled }, index) => [
    `${index + 1}.`,
    id,
    use,
    enabled ? 'on' : 'off',
  ]);
  for (const [name, load] of Object.entries(catalogue)) {
    if (configured.some(({ use }) => use === name)) continue;
    const { default: definition } = await load();
    rows.push(['', name, definition.summary, 'available']);
  }
  for (const line of table([['', 'PLUGIN', 'FROM', 'STATE'], ...rows])) print(line);
  return 0;
}
