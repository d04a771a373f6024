import { EventEmitter } from 'node:events';

/** What the gateway announces, by event name; the tuple is what listeners receive. */
export interface GatewayEventMap {
  /** A target was found healthy or unhealthy by a health check. */
  'target.health': [{ service: string; target: string; healthy: boolean; reason: string }];
  /** A service was registered, changed or removed. */
  'service.change': [{ service: string; change: 'added' | 'updated' | 'removed' }];
  /** A generation went live, or a reload was refused. */
  reload: [{ generation: number; ok: boolean; reason?: string }];
}

/**
 * The gateway's announcements. One instance per gateway, injected with the `EVENTS` token. Plugins add events of
 * their own by declaration merging on {@link GatewayEventMap}.
 */
export class GatewayEvents extends EventEmitter<GatewayEventMap> {
  constructor() {
    super();
    // Each plugin may listen, and there may be any number of plugins; the default of 10 would warn of a leak.
    this.setMaxListeners(0);
  }
}
