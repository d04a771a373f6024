import { inspect } from './inspect.js';
import type { CommandContext } from './program.js';
import { table } from './table.js';

/** `gateway routes`: every route in the order of its match, and the plugins that its requests pass. */
export async function listRoutes(context: CommandContext): Promise<number> {
  await inspect(context, ({ generation }) => {
    const rows = generation.router
      .list()
      .map(({ route }) => [
        route.id,
        route.methods?.join(',') ?? '*',
        route.pattern,
        route.service.name,
        route.plugins.map(({ id }) => id).join(' > ') || '-',
      ]);
    for (const line of table([['ROUTE', 'METHODS', 'PATTERN', 'SERVICE', 'PLUGINS'], ...rows]))
      context.print(line);
  });
  return 0;
}
