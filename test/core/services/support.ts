import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { MockAgent } from 'undici';
import type { Clock } from '../../../core/clock.js';
import type { ServiceSettings } from '../../../core/config/service-schema.js';
import { GatewayEvents } from '../../../core/events.js';
import { Exchange } from '../../../core/exchange.js';
import type { Route } from '../../../core/plugin.js';
import { UpstreamPools } from '../../../core/services/pools.js';
import { ServiceRegistry } from '../../../core/services/registry.js';
import { Service } from '../../../core/services/service.js';
import { Target } from '../../../core/services/target.js';

type Overrides = { [Key in keyof ServiceSettings]?: Partial<ServiceSettings[Key]> };

const EJECTION = {
  consecutiveFailures: 5,
  failureRatio: 0,
  window: 10_000,
  minimumVolume: 20,
  baseTime: 10_000,
  maxTime: 300_000,
  maxShare: 0.5,
};
const CONCURRENCY = { limit: 0, perTarget: 0, queue: 0, maxWait: 1000 };

/** Complete settings with the schema's defaults; each argument before the overrides is a target. */
export function settingsOf(
  urls: readonly (string | [string, number])[],
  overrides: Overrides = {},
): ServiceSettings {
  return {
    targets: urls.map((url) =>
      typeof url === 'string' ? { url, weight: 1 } : { url: url[0], weight: url[1] },
    ),
    basePath: '/api/v1',
    websocketBasePath: '/ws',
    preserveHost: false,
    loadBalancing: { algorithm: 'round-robin', hashOn: 'client-address', ...overrides.loadBalancing },
    health: {
      enabled: true,
      path: '/health',
      interval: 30_000,
      timeout: 5000,
      status: ['2xx'],
      rise: 1,
      fall: 2,
      ...overrides.health,
    },
    timeout: { connect: 2000, response: 30_000, idle: 60_000, total: 0, ...overrides.timeout },
    pool: { connections: 256, keepAlive: 4000, ...overrides.pool },
    tls: { verify: true, ...overrides.tls },
    ...(overrides.outlierEjection && { outlierEjection: { ...EJECTION, ...overrides.outlierEjection } }),
    ...(overrides.slowStart && {
      slowStart: { duration: 30_000, minimumShare: 0.1, ...overrides.slowStart },
    }),
    ...(overrides.concurrency && { concurrency: { ...CONCURRENCY, ...overrides.concurrency } }),
    plugins: {},
  };
}

/** A target that is never connected to. */
export function targetOf(name: string, weight = 1): Target {
  return new Target({ url: `http://${name}`, weight }, new MockAgent());
}

export function serviceOf(name: string, settings: ServiceSettings): Service {
  const targets = settings.targets.map((init) => new Target(init, new MockAgent()));
  return new Service({ name, origin: 'configuration', settings, targets });
}

/** A registry without store and health checks, whose targets are never connected to. */
export function registryOf(clock: Clock): { registry: ServiceRegistry; events: GatewayEvents } {
  const events = new GatewayEvents();
  const pools = new UpstreamPools({ clock, factory: (origin) => new FakeDispatcher(origin) });
  return { registry: new ServiceRegistry({ pools, clock, events }), events };
}

/** Makes this the registry's only service, as a reload does. */
export function reload(registry: ServiceRegistry, settings: ServiceSettings): Service {
  registry.commit(registry.prepare({ service: settings }, 'configuration'));
  return registry.get('service') ?? expect.fail('no service');
}

/** A request as balancers see it. */
export function exchangeOf(init: {
  headers?: Record<string, string>;
  address?: string;
  consumer?: string;
}): Exchange {
  const fields = {
    clientAddress: init.address ?? '192.0.2.1',
    req: { headers: init.headers ?? {} } as IncomingMessage,
  };
  const exchange = new Exchange(fields as ConstructorParameters<typeof Exchange>[0], {} as Route, {}, '/');
  if (init.consumer !== undefined) exchange.consumer = { id: init.consumer, authenticatedBy: 'test' };
  return exchange;
}

/** An HTTP server on the loopback interface. */
export async function serve(listener: RequestListener): Promise<{
  url: string;
  sockets: Set<Socket>;
  close: () => Promise<void>;
}> {
  const sockets = new Set<Socket>();
  const server = createServer(listener);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Lets promises that are settled already run their continuations. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A dispatcher that only remembers how it ended. */
export class FakeDispatcher extends MockAgent {
  readonly origin: string;
  state: 'open' | 'closing' | 'closed' | 'destroyed' = 'open';
  /** Ends the request under way that {@link close} waits for. */
  finish: () => void = () => undefined;
  readonly #busy: boolean;

  constructor(origin: string, busy = false) {
    super();
    this.origin = origin;
    this.#busy = busy;
  }

  override async close(): Promise<void> {
    this.state = 'closing';
    if (this.#busy) await new Promise<void>((resolve) => (this.finish = resolve));
    this.state = 'closed';
  }

  override async destroy(): Promise<void> {
    this.state = 'destroyed';
    this.finish();
  }
}
