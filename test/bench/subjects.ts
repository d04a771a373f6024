import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pluginsOf, serviceNames, spread, writeGatewayConfig } from './gateway-config.js';
import { haproxy, installedVersion, nginx } from './natives.js';
import { BEARER, KEY, MANY_URLS, PLUGIN_ROWS } from './plugin-rows.js';

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
  /** Most microseconds that it may add. */
  readonly most?: number;
  /** How many URLs the requests go round over, where one is not enough. */
  readonly urls?: number;
  /** Length of the response bodies, where it is not the workload's; `any` for a coding's. */
  readonly responseBytes?: 'any';
  /** Writes the configuration, if there is one, and says how to start. */
  command(context: StartContext): [string, ...string[]];
  /** Why it cannot run here, or undefined. */
  missing(): string | undefined;
}

export const YARDSTICK = 'yardstick';

/** The upstream, which also runs as a row of its own. */
export const UPSTREAM: Subject = nodeScript('direct', 'the upstream directly', 'reference');

const EMPTY = fileURLToPath(new URL('./plugins/empty.mjs', import.meta.url));

/** What forwards requests, in the order of a round. */
export const GATEWAYS: readonly Subject[] = [
  UPSTREAM,
  nodeScript(YARDSTICK, 'http + undici pass-through (yardstick)', 'reference'),
  gateway('gateway', 'this gateway, no plugins'),
  gateway('gateway-all', 'this gateway, all plugins', {
    plugins: () => pluginsOf('all-plugins'),
    headers: BEARER,
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

/** What each plugin adds. */
export const PLUGINS: readonly Subject[] = [
  nodeScript(YARDSTICK, 'http + undici pass-through (yardstick)', 'reference'),
  gateway('gateway-empty', 'this gateway, one empty plugin', { plugins: () => [EMPTY] }),
  gateway('gateway-empty-bearer', 'this gateway, one empty plugin, a bearer token', {
    plugins: () => [EMPTY],
    headers: BEARER,
  }),
  gateway('gateway-empty-key', 'this gateway, one empty plugin, an API key', {
    plugins: () => [EMPTY],
    headers: KEY,
  }),
  gateway('gateway-empty-urls', 'this gateway, one empty plugin, 10,000 URLs', {
    plugins: () => [EMPTY],
    urls: MANY_URLS,
  }),
  ...PLUGIN_ROWS.map(({ title, plugin, plugins, ...rest }) =>
    gateway(`with-${title.replaceAll(/[ ,]+/g, '-')}`, `with ${title}`, {
      plugins: () => [EMPTY, ...(plugins ?? [plugin])],
      addsTo: 'gateway-empty',
      ...rest,
    }),
  ),
];

/** What answers without asking the upstream. */
export const CACHES: readonly Subject[] = [
  nodeScript('koa-buffer', 'Koa, 8 empty middlewares, a body from memory', 'reference'),
  gateway('cache-hit', 'this gateway, hit', { plugins: () => ['response-cache'] }),
  gateway('cache-hit-plain', 'this gateway, hit, with compress, for a client without codings', {
    plugins: () => ['compress', 'response-cache'],
  }),
  gateway('cache-hit-br', 'this gateway, hit, with compress, sent as br', {
    plugins: () => ['compress', 'response-cache'],
    headers: { 'accept-encoding': 'br' },
    responseBytes: 'any',
  }),
];

interface GatewayOptions {
  /** Log level; WARNING by default. */
  readonly level?: string;
  /** As in `.gatewayrc`. */
  readonly plugins?: () => readonly unknown[];
  readonly services?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly addsTo?: string;
  readonly most?: number;
  readonly urls?: number;
  readonly responseBytes?: 'any';
}

/** This gateway, as production runs it: the build, started by its command line. */
function gateway(name: string, title: string, options: GatewayOptions = {}): Subject {
  const { plugins, services: count = 1, headers = {}, level = 'WARNING', ...rest } = options;
  const main = fileURLToPath(new URL('../../dist/core/cli/main.js', import.meta.url));
  const services = serviceNames(count);
  return {
    name,
    title,
    kind: 'gateway',
    services: spread(services, 10),
    headers,
    ...rest,
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
