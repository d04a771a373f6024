import { join } from 'node:path';
import type { Clock } from './clock.js';
import type { Settings } from './config/schema.js';
import type { GatewayEvents } from './events.js';
import type { Logger } from './log/logger.js';
import { UpstreamPools } from './services/pools.js';
import { ServiceRegistry } from './services/registry.js';
import { FileServiceStore } from './services/store.js';

/** The part of the gateway that knows the upstreams; it outlives reloads. */
export interface Services {
  readonly registry: ServiceRegistry;
  readonly pools: UpstreamPools;
}

/** Makes the registry of services with its connection pools and its store in the data directory. */
export function createServices(
  settings: Settings,
  parts: { readonly clock: Clock; readonly events: GatewayEvents; readonly logger: Logger },
): Services {
  const pools = new UpstreamPools({ clock: parts.clock });
  const store = new FileServiceStore(join(settings.dataDirectory, 'services.json'));
  return { pools, registry: new ServiceRegistry({ ...parts, pools, store }) };
}
