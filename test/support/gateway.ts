import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '../../core/index.js';

/** A configuration as it stands in `.gatewayrc`. */
export type RawConfig = Record<string, unknown>;

type GatewayOptions = NonNullable<Parameters<typeof createGateway>[1]>;

/** A gateway under test, listening on 127.0.0.1. */
export interface RunningGateway {
  readonly gateway: Awaited<ReturnType<typeof createGateway>>;
  readonly port: number;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Where it keeps what is registered at run time; for the configuration of a reload. */
  readonly dataDirectory: string;
  stop(): Promise<void>;
}

/**
 * Starts a gateway on a free port of 127.0.0.1, silent, with a data directory of its own. No plugins unless
 * `options` brings a catalogue. Settings in `config` win over these.
 */
export async function startGateway(
  config: RawConfig,
  options: Partial<GatewayOptions> = {},
): Promise<RunningGateway> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  const gateway = await createGateway(
    {
      host: '127.0.0.1',
      port: 0,
      dataDirectory,
      logging: { level: 'CRITICAL' },
      shutdown: { drainTimeout: '2s' },
      ...config,
    },
    { catalogue: {}, ...options },
  );
  const discard = () => rm(dataDirectory, { recursive: true, force: true });
  try {
    await gateway.start();
  } catch (error) {
    await discard();
    throw error;
  }
  const { port } = gateway.address();
  return {
    gateway,
    port,
    url: `http://127.0.0.1:${port}`,
    dataDirectory,
    async stop() {
      await gateway.stop();
      await discard();
    },
  };
}

/** A service with one target and no health checks; `settings` are added to it. */
export function service(url: string, settings: RawConfig = {}): RawConfig {
  return { targets: [url], health: false, ...settings };
}
