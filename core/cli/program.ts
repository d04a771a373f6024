import { Command, CommanderError } from 'commander';
import { blameFor } from '../blame.js';
import { ConfigurationError } from '../config/mistakes.js';
import type { PluginCatalogue } from '../plugin.js';
import { gatewayVersion } from '../version.js';
import { check } from './check.js';
import { type ExplainFlags, explainCommand } from './explain.js';
import { hashPasswordCommand } from './hash-password.js';
import { listPlugins } from './plugins.js';
import { listRoutes } from './routes.js';
import { start } from './start.js';
import { token } from './token.js';

/** The exit code for a configuration that cannot be used, or a command line that makes no sense. */
const EXIT_INVALID = 2;

/** The flags of `gateway token`. */
interface TokenFlags {
  readonly config?: string;
  readonly subject: string;
  readonly scope: readonly string[];
  readonly role: readonly string[];
  readonly ttl?: string;
}

/** What every command is given. */
export interface CommandContext {
  /** The configuration file that was named, if one was. */
  readonly file: string | undefined;
  readonly catalogue: PluginCatalogue;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
}

/** Adds to a flag that may be given often; one that takes a list would take the arguments behind it as well. */
const collect = (value: string, before: readonly string[]) => [...before, value];

/**
 * Runs the command line.
 *
 * @returns the exit code: 0 for success, 2 for an unusable configuration or command line, 1 for any other failure
 */
export async function runCli(argv: readonly string[], catalogue: PluginCatalogue): Promise<number> {
  let exitCode = 0;
  const program = new Command('gateway')
    .description('The front door of a microservice system.')
    .version(gatewayVersion())
    .exitOverride();
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const command = (name: string, description: string, run: (context: CommandContext) => Promise<number>) => {
    program
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration file; searched for in the working directory without it')
      .action(async ({ config }: { config?: string }) => {
        exitCode = await run({ file: config, catalogue, print });
      });
  };
  command('start', 'run the gateway', start);
  command('check', 'check the configuration and print what would run', check);
  command('routes', 'list the routes and the plugins that each one passes', listRoutes);
  command('plugins', 'list the plugins: those configured, and those available', listPlugins);
  program
    .command('explain')
    .description('say what would become of a request, without sending it')
    .argument('<method>', 'GET, POST, ...')
    .argument('<url>', 'a path, or a URL with the host that is asked for; ws: for an upgrade')
    .option('-H, --header <field>', "a header field: 'name: value'; may be given often", collect, [])
    .option('--from <address>', 'the address that the request comes from', '127.0.0.1')
    .option('--json', 'print JSON', false)
    .option('-c, --config <file>', 'configuration file; searched for in the working directory without it')
    .action(async (method: string, url: string, { config, header, from, json }: ExplainFlags) => {
      const request = { method, url, fields: header, from };
      exitCode = await explainCommand({ file: config, catalogue, print }, request, json);
    });
  program
    .command('hash-password')
    .description('read a password, and print the hash to configure a user with')
    .action(async () => {
      const prompt = (text: string) => void process.stderr.write(text);
      exitCode = await hashPasswordCommand({ input: process.stdin, prompt, print });
    });
  program
    .command('token')
    .description('print a token that the configured gateway accepts, for tests')
    .requiredOption('-s, --subject <id>', 'the consumer that the token speaks for')
    .option('--scope <scope...>', 'scopes of the token', [])
    .option('--role <role...>', 'roles of the token', [])
    .option('--ttl <duration>', 'how long it is good: 15m, 1h; the plugin’s own by default')
    .option('-c, --config <file>', 'configuration file; searched for in the working directory without it')
    .action(async ({ config, subject, scope, role, ttl }: TokenFlags) => {
      const options = { subject, scopes: scope, roles: role, ...(ttl === undefined ? {} : { ttl }) };
      exitCode = await token({ file: config, catalogue, print }, options);
    });
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_INVALID;
    if (error instanceof ConfigurationError) {
      process.stderr.write(`The configuration cannot be used:\n${error.message}\n`);
      return EXIT_INVALID;
    }
    const culprit = blameFor(error);
    const prefix = culprit === undefined ? '' : `The plugin ${culprit.plugin} failed in ${culprit.member}: `;
    process.stderr.write(`${prefix}${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
