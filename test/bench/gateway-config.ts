import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The list of plugins in `configs/{name}.yaml`, as it would stand in a `.gatewayrc`. */
export function pluginsOf(name: string): readonly unknown[] {
  const file = fileURLToPath(new URL(`./configs/${name}.yaml`, import.meta.url));
  const content: unknown = parse(readFileSync(file, 'utf8'));
  const plugins =
    content !== null && typeof content === 'object' && 'plugins' in content ? content.plugins : undefined;
  if (!Array.isArray(plugins)) throw new Error(`configs/${name}.yaml has no list of plugins`);
  return plugins;
}

/** Names of `count` services. */
export function serviceNames(count: number): readonly string[] {
  return count === 1 ? ['bench'] : Array.from({ length: count }, (_, index) => `bench-${index}`);
}

/** `some` names spread evenly over all. */
export function spread(names: readonly string[], some: number): readonly string[] {
  const step = Math.max(1, Math.floor(names.length / some));
  return names.filter((_, index) => index % step === 0).slice(0, some);
}

export interface GatewayConfig {
  readonly port: number;
  readonly upstream: string;
  readonly services: readonly string[];
  /** Log level. */
  readonly level: string;
  readonly plugins: readonly unknown[];
}

/**
 * Writes a gateway configuration in which all services lead to the one upstream.
 *
 * @returns the path of the file
 */
export function writeGatewayConfig(directory: string, config: GatewayConfig): string {
  const file = path.join(directory, 'gateway.json');
  const service = { targets: [config.upstream], health: false };
  const content = {
    host: '127.0.0.1',
    port: config.port,
    logging: { level: config.level },
    services: Object.fromEntries(config.services.map((name) => [name, service])),
    plugins: config.plugins,
  };
  writeFileSync(file, JSON.stringify(content, undefined, 2));
  return file;
}
