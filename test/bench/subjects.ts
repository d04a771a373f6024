import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchToken } from './credentials.js';
import { pluginsOf, serviceNames, spread, writeGatewayConfig } from './gateway-config.js';
import { haproxy, installedVersion, nginx } from './natives.js';
import { PLUGIN_ROWS } from './plugin-rows.js';

export interface StartContext {
  readonly port: number;
  readonly upstream: string;
  /** An empty directory of the subject's own. */
  readonly directory: string;
}

/** A row of the table: something that answers `/api/v1/{service}/…` from the upstream, in a process of its own. */
export interface Subject {
  readonly name: string;
  readonly title: string;
  readonly kind: 'reference' | 'gateway' | 'node-peer' | 'native-peer';
  /** The services that are requested, in turn. */
  readonly services: readonly string[];
  /** Extra headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name of the subject it adds something to: a further table shows the difference. */
  readonly addsTo?: string;
  /** Writes the configuration, if there is one, and says how to start. */
  command(context: StartContext): [string, ...string[]];
  /** Why it cannot run here, or undefined. */
  missing(): string | undefined;
}

export const YARDSTICK = 'yardstick';

/** The upstream, which also runs as a row of its own. */
export const UPSTREAM: Subject = nodeScript('direct', 'the upstream directly', 'reference');

const EMPTY = fileURLToPath(new URL('./plugins/empty.mjs', import.meta.url));

/** In the order of a round. To add a row is to add a line here. */
export const SUBJECTS: readonly Subject[] = [
  UPSTREAM,
  nodeScript(YARDSTICK, 'http + undici pass-through (yardstick)', 'reference'),
  gateway('gateway', 'this gateway, no plugins'),
  gateway('gateway-empty', 'this gateway, one empty plugin', { plugins: () => [EMPTY], addsTo: 'gateway' }),
  ...PLUGIN_ROWS.map(({ plugin, title, headers, level }) =>
    gateway(`with-${title.replaceAll(/[ ,]+/g, '-')}`, `with ${title}`, {
      plugins: () => [EMPTY, plugin],
      addsTo: 'gateway-empty',
      ...(headers ? { headers } : {}),
      ...(level ? { level } : {}),
    }),
  ),
  gateway('gateway-all', 'this gateway, all plugins', {
    plugins: () => pluginsOf('all-plugins'),
    headers: { authorization: `Bearer ${benchToken()}` },
    level: 'INFO',
    addsTo: 'gateway',
  }),
  gateway('gateway-10', 'this gateway, 10 services', { services: 10 }),
  gateway('gateway-10000', 'this gateway, 10,000 services', { services: 10_000 }),
  nodeScript('koa-http-proxy', 'Koa + http-proxy', 'node-peer'),
  nodeScript('fastify-http-proxy', '@fastify/http-proxy', 'node-peer'),
  nodeScript('fast-gateway', 'fast-gateway', 'node-peer'),
  nodeScript('http-proxy-middleware', 'http-proxy-middleware on Express', 'node-peer'),
  native('nginx', 'nginx', nginx),
  native('haproxy', 'HAProxy', haproxy),
];

interface GatewayOptions {
  /** Log level; WARNING by default. */
  readonly level?: string;
  /** As in `.gatewayrc`. What plugin X adds is shown by `{ plugins: () => ['x'], addsTo: 'gateway' }`. */
  readonly plugins?: () => readonly unknown[];
  readonly services?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly addsTo?: string;
}

/** This gateway, as production runs it: the build, started by its command line. */
function gateway(name: string, title: string, options: GatewayOptions = {}): Subject {
  const { plugins, services: count = 1, headers = {}, level = 'WARNING', addsTo } = options;
  const main = fileURLToPath(new URL('../../dist/core/cli/main.js', import.meta.url));
  const services = serviceNames(count);
  return {
    name,
    title,
    kind: 'gateway',
    services: spread(services, 10),
    headers,
    ...(addsTo === undefined ? {} : { addsTo }),
    command({ port, upstream, directory }) {
      const list = plugins?.() ?? [];
      const file = writeGatewayConfig(directory, { port, upstream, services, level, plugins: list });
      return [process.execPath, main, 'start', '--config', file];
    },
    missing() {
      if (plugins?.().length === 0) return 'its list of plugins is empty';
      return existsSync(main) ? undefined : 'the gateway is not built';
    },
  };
}

function nodeScript(name: string, title: string, kind: Subject['kind']): Subject {
  const script = fileURLToPath(new URL(`./subjects/${name}.mjs`, import.meta.url));
  return {
    name,
    title,
    kind,
    services: serviceNames(1),
    headers: {},
    command: () => [process.execPath, script],
    missing: () => undefined,
  };
}

function native(name: string, title: string, command: Subject['command']): Subject {
  return {
    name,
    title,
    kind: 'native-peer',
    services: serviceNames(1),
    headers: {},
    command,
    missing: () => (installedVersion(name) === undefined ? 'not installed' : undefined),
  };
}
