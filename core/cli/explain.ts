import type { DescribedRequest } from './explain-request.js';
import { type Explanation, explain } from './explanation.js';
import { inspect } from './inspect.js';
import type { CommandContext } from './program.js';
import { table } from './table.js';

/** The flags of `gateway explain`. */
export interface ExplainFlags {
  readonly config?: string;
  readonly header: readonly string[];
  readonly from: string;
  readonly json: boolean;
}

/**
 * `gateway explain METHOD URL`: which route a request matches, which plugins it meets, and what the upstream would be
 * asked. Nothing is sent.
 *
 * @returns the exit code: 0, or 1 for a request that would be refused before any plugin sees it
 * @throws ConfigurationError; Error for a URL or a field that is none
 */
export async function explainCommand(
  context: CommandContext,
  request: DescribedRequest,
  json: boolean,
): Promise<number> {
  const explanation = await inspect(context, ({ generation }) => explain(request, generation));
  const lines = json ? [JSON.stringify(explanation, null, 2)] : describe(explanation);
  for (const line of lines) context.print(line);
  return explanation.outcome === 'refused' ? 1 : 0;
}

function describe(explanation: Explanation): string[] {
  const { request, outcome, refusal, route, near_misses: misses, plugins, upstream } = explanation;
  const lines = [
    `request:   ${request.method} ${request.path}${request.query}${request.upgrade ? ' (an upgrade)' : ''}`,
    `           for the host ${request.host || '(none)'}, from ${request.client}${request.peer_trusted ? ', by a trusted proxy' : ''}`,
  ];
  if (refusal !== undefined) lines.push(`refused:   ${refusal.status} ${refusal.code}: ${refusal.message}`);
  if (outcome === 'answered_by_the_gateway') lines.push('answered:  by the gateway itself');
  if (route !== undefined) {
    lines.push(
      `route:     ${route.id} (${route.methods?.join(', ') ?? 'all methods'}, ${route.pattern}), to the service ${route.service}`,
    );
    for (const [name, value] of Object.entries(route.params)) lines.push(`           ${name} = ${value}`);
  }
  if (misses.length > 0) {
    lines.push(route === undefined ? 'near misses:' : 'not taken:');
    lines.push(...table(misses.map(({ route: id, pattern, why }) => [`  ${id}`, pattern, why])));
  }
  if (upstream === undefined) return lines;
  lines.push(plugins.length === 0 ? 'plugins:   none' : 'plugins:');
  const rows = plugins.map(({ id, on, takes_part, options }, index) => [
    `  ${index + 1}.`,
    id,
    on ? takes_part.join(', ') || '-' : 'off here',
    on ? JSON.stringify(options) : '',
  ]);
  lines.push(...table(rows));
  lines.push(
    `upstream:  ${upstream.targets.length > 1 ? `one of these, by ${upstream.balancing}` : upstream.targets.length === 1 ? 'this target' : 'no target: 503'}`,
  );
  for (const { url, weight } of upstream.targets)
    lines.push(`  ${url}${weight === 1 ? '' : ` (weight ${weight})`}`);
  lines.push(`  ${upstream.method} ${upstream.path}`);
  for (const [name, value] of upstream.headers) lines.push(`  ${name}: ${value}`);
  if (plugins.some(({ on, takes_part }) => on && takes_part.includes('middleware'))) {
    lines.push('What plugins refuse or change on the way is not shown: none was run.');
  }
  return lines;
}
