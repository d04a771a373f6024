import { parseDuration } from '../config/units.js';
import type { GatewayPlugin } from '../plugin.js';
import { inspect } from './inspect.js';
import type { CommandContext } from './program.js';

/** What the command line says about the token. */
export interface TokenOptions {
  /** The `sub` claim. */
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** A duration as in the configuration (`15m`; seconds as a number); the plugin's own by default. */
  readonly ttl?: string;
}

/** A plugin that can sign tokens: any that has such a member. */
interface TokenSigner {
  issueToken(
    subject: { subject: string; scopes: readonly string[]; roles: readonly string[] },
    ttl?: number,
  ): string;
}

/**
 * `gateway token`: prints a token that the configured gateway accepts, for tests.
 *
 * @returns the exit code
 * @throws ConfigurationError; Error when no plugin of the configuration signs tokens, or for an invalid `ttl`
 */
export async function token(context: CommandContext, options: TokenOptions): Promise<number> {
  const { subject, scopes, roles } = options;
  const ttl = options.ttl === undefined ? undefined : parseDuration(options.ttl);
  if (options.ttl !== undefined && (ttl === undefined || ttl < 1000)) {
    throw new Error(`'${options.ttl}' is no duration of at least a second: write 900, 15m or 1h`);
  }
  const text = await inspect(context, ({ generation }) => {
    const signer = generation.plugins.map(({ instance }) => instance).find(isTokenSigner);
    if (signer === undefined)
      throw new Error('No plugin of the configuration signs tokens: add auth-jwt with a secret');
    return signer.issueToken({ subject, scopes, roles }, ttl);
  });
  context.print(text);
  return 0;
}

function isTokenSigner(instance: GatewayPlugin): instance is GatewayPlugin & TokenSigner {
  return 'issueToken' in instance && typeof instance.issueToken === 'function';
}
