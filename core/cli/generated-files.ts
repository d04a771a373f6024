import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { configurationReference, optionsTable } from '../config/reference.js';
import { configurationSchema } from '../config/schema-file.js';
import { ERRORS } from '../errors.js';
import type { PluginCatalogue, PluginDefinition } from '../plugin.js';
import { adminReference } from './admin-reference.js';

/** A file of the repository that is made from the code. */
export interface GeneratedFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly content: string;
}

const OPEN = '<!-- options -->';
const CLOSE = '<!-- /options -->';

/**
 * Everything that `npm run generate` writes: the schema for editors, the reference pages, and the tables of options in
 * the pages of the plugins that have one.
 *
 * @param root the repository
 * @param openApi the description of the admin routes
 * @throws Error when a plugin's page has no place for its table
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

async function pluginPages(root: string, definitions: readonly PluginDefinition[]): Promise<GeneratedFile[]> {
  const folder = path.join(root, 'docs', 'plugins');
  const existing = await readdir(folder);
  const documented = definitions.filter(({ name }) => existing.includes(`${name}.md`));
  return Promise.all(
    documented.map(async ({ name, options }) => {
      const text = await readFile(path.join(folder, `${name}.md`), 'utf8');
      return { path: `docs/plugins/${name}.md`, content: withTable(name, text, optionsTable(options)) };
    }),
  );
}

function withTable(name: string, text: string, table: string): string {
  const start = text.indexOf(OPEN);
  const end = text.indexOf(CLOSE, start);
  if (start === -1 || end === -1) {
    throw new Error(
      `docs/plugins/${name}.md has no place for the options: a line ${OPEN}, and below it ${CLOSE}`,
    );
  }
  return `${text.slice(0, start + OPEN.length)}\n\n${table.trimEnd()}\n\n${text.slice(end)}`;
}
