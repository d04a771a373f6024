import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { configurationReference, optionsTable } from '../config/reference.js';
import { configurationSchema } from '../config/schema-file.js';
import { ERRORS } from '../errors.js';
import type { PluginCatalogue, PluginDefinition } from '../plugin.js';
import { adminReference } from './admin-reference.js';
import { alignedTable } from './aligned-table.js';

/** A file of the repository that is made from the code. */
export interface GeneratedFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly content: string;
}

/**
 * Everything that `npm run generate` writes: the schema for editors, the reference pages, the list of plugins in the
 * README, and the tables of options in the pages of the plugins.
 *
 * @param root the repository
 * @param openApi the description of the admin routes
 * @throws Error when a page has no place for what goes into it
 */
export async function generatedFiles(
  root: string,
  catalogue: PluginCatalogue,
  openApi: unknown,
): Promise<GeneratedFile[]> {
  const definitions = await Promise.all(Object.values(catalogue).map(async (load) => (await load()).default));
  const schema = configurationSchema(definitions);
  return [
    { path: 'config/gatewayrc.schema.json', content: `${JSON.stringify(schema, null, 2)}\n` },
    { path: 'docs/reference/configuration.md', content: configurationReference() },
    { path: 'docs/reference/errors.md', content: errorReference() },
    { path: 'docs/reference/admin-api.md', content: adminReference(openApi) },
    { path: 'docs/reference/plugins.md', content: pluginReference(definitions) },
    { path: 'README.md', content: await filled(root, 'README.md', 'plugins', pluginList(definitions)) },
    ...(await pluginPages(root, definitions)),
  ];
}

function errorReference(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, message, blame }]) => `| \`${code}\` | ${status} | ${message} | ${blame} |`,
  );
  return `# Error reference

Generated from \`core/errors.ts\` by \`npm run generate\`.

Every error that the gateway answers with itself has a row here. The body is JSON, whatever went wrong:

\`\`\`json
{
  "error": "Service temporarily unavailable",
  "code": "SERVICE_UNAVAILABLE",
  "timestamp": "2024-01-01T12:00:00.000Z",
  "request_id": "req-123456"
}
\`\`\`

\`error\` is the message of the row, or a more precise one; \`details\`, where there is one, lists every fault that was found. A
client whose \`Accept\` names \`application/problem+json\` gets problem details (RFC 9457) with the same \`code\`,
\`timestamp\` and \`request_id\`. The message never names a host or anything internal; the log line with the same
\`request_id\` does. Errors that a service answers with pass through unchanged.

| Code | Status | Message | At fault |
|---|---|---|---|
${rows.join('\n')}
`;
}

function pluginReference(definitions: readonly PluginDefinition[]): string {
  const rows = definitions.map(({ name, summary, order, provides }) => {
    const cells = [
      `[${name}](../plugins/${name}.md)`,
      summary,
      names(order?.after),
      names(order?.before),
      names(provides),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `# Plugins that ship with the gateway

Generated from the definitions by \`npm run generate\`. The order of the list in \`.gatewayrc\` is the order in which
plugins run; the two columns of the middle are checked at the start, and never used to sort. How to write one:
[Plugins](../guides/plugins.md).

| Plugin | What it does | Stands after | Stands before | Provides |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function names(list: readonly string[] = []): string {
  return list.map((name) => `\`${name}\``).join(', ');
}

function pluginList(definitions: readonly PluginDefinition[]): string {
  return definitions
    .map(({ name, summary }) => `- [${name}](docs/plugins/${name}.md): ${summary}`)
    .join('\n');
}

async function pluginPages(root: string, definitions: readonly PluginDefinition[]): Promise<GeneratedFile[]> {
  const existing = await readdir(path.join(root, 'docs/plugins'));
  const documented = definitions.filter(({ name }) => existing.includes(`${name}.md`));
  return Promise.all(
    documented.map(async ({ name, options }) => {
      const page = `docs/plugins/${name}.md`;
      return { path: page, content: await filled(root, page, 'options', formatted(optionsTable(options))) };
    }),
  );
}

/** Pages of plugins are formatted by the linter, unlike those of the reference. */
function formatted(text: string): string {
  return text.startsWith('|') ? alignedTable(text) : text;
}

/** A file with new content between `<!-- name -->` and `<!-- /name -->`. */
async function filled(root: string, file: string, name: string, content: string): Promise<string> {
  const text = await readFile(path.join(root, file), 'utf8');
  const opening = `<!-- ${name} -->`;
  const closing = `<!-- /${name} -->`;
  const start = text.indexOf(opening);
  const end = text.indexOf(closing, start);
  if (start === -1 || end === -1) {
    throw new Error(`${file} has no place for its ${name}: a line ${opening}, and below it ${closing}`);
  }
  return `${text.slice(0, start + opening.length)}\n\n${content.trimEnd()}\n\n${text.slice(end)}`;
}
