import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import supertest from 'supertest';
import { createGateway, createLog, type EmbeddedGateway, type PluginDefinition } from '../../core/index.js';
import { FakeClock } from './fake-clock.js';
import { startUpstream, type Upstream, type UpstreamHandler } from './upstream.js';

/** What a plugin under test may be given beside its options. */
export interface PluginKitOptions {
  /** Answers the requests that pass; the canned endpoints of upstream-endpoints.ts do by default. */
  readonly upstream?: UpstreamHandler;
  /** Further settings of the service `demo` that stands behind the plugin, as in `.gatewayrc`. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Further settings of the gateway, as in `.gatewayrc`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Plugins that stand in the list before and after the one under test. */
  readonly before?: readonly PluginInList[];
  readonly after?: readonly PluginInList[];
}

/** A further plugin in the list, with its options. */
interface PluginInList {
  readonly definition: PluginDefinition;
  readonly options?: object;
}

/** A plugin at work in a gateway of its own. */
export interface PluginKit {
  /** Sends requests to the gateway; the service is at `/api/v1/demo/`. */
  readonly agent: ReturnType<typeof supertest>;
  readonly url: string;
  readonly port: number;
  /** The service behind the plugin, with what it was asked. */
  readonly upstream: Upstream;
  /** Stands still until it is ticked. */
  readonly clock: FakeClock;
  readonly gateway: EmbeddedGateway;
  /** The lines that the gateway logged. */
  readonly logLines: readonly string[];
  /** Where the gateway keeps what was made at run time. */
  readonly dataDirectory: string;
  /** The configuration with other options for the plugin, for `gateway.reload`. */
  configuration(options: object): Record<string, unknown>;
}

const running = new Set<() => Promise<void>>();

/**
 * Runs one plugin in a gateway on a free port, with an upstream behind it and a clock that stands still:
 *
 *     const { agent, clock } = await runPlugin(rateLimit, { requests: 2, window: '60s' });
 *     await agent.get('/api/v1/demo/echo').expect(200);
 *
 * It is stopped after the test.
 *
 * @throws ConfigurationError when the options are invalid
 */
export async function runPlugin(
  definition: PluginDefinition,
  options: object = {},
  kit: PluginKitOptions = {},
): Promise<PluginKit> {
  const upstream = await startUpstream(kit.upstream);
  const dataDirectory = await mkdtemp(join(tmpdir(), 'plugin-kit-'));
  const clock = new FakeClock();
  const logLines: string[] = [];
  const list = [...(kit.before ?? []), { definition, options }, ...(kit.after ?? [])];
  const configuration = (own: object) => ({
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    logging: { level: 'DEBUG' },
    shutdown: { drainTimeout: '1s' },
    services: { demo: { targets: [upstream.url], health: false, ...kit.service } },
    plugins: list.map((entry) => ({
      [entry.definition.name]: entry.definition === definition ? own : (entry.options ?? {}),
    })),
    ...kit.settings,
  });
  const { logger } = createLog({ level: 'DEBUG', pretty: false, write: (line) => logLines.push(line) });
  const catalogue = Object.fromEntries(
    list.map((entry) => [entry.definition.name, async () => ({ default: entry.definition })]),
  );
  const cleanUp = async () => {
    await upstream.close();
    await rm(dataDirectory, { recursive: true, force: true });
  };
  let gateway: EmbeddedGateway;
  try {
    gateway = createGateway(configuration(options), { catalogue, clock, logger });
    await gateway.start();
  } catch (error) {
    await cleanUp();
    throw error;
  }
  const stop = async () => {
    running.delete(stop);
    // The drain waits on the fake clock too: nobody ticks it, but connections that the agent kept are idle and end.
    await gateway.stop();
    await cleanUp();
  };
  running.add(stop);
  const { port } = gateway.address();
  const url = `http://127.0.0.1:${port}`;
  return {
    agent: supertest(url),
    url,
    port,
    upstream,
    clock,
    gateway,
    logLines,
    dataDirectory,
    configuration,
  };
}

/** Stops every plugin that {@link runPlugin} started. */
export async function stopPlugins(): Promise<void> {
  await Promise.all([...running].map((stop) => stop()));
}
