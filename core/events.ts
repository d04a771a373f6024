import { EventEmitter } from 'node:events';

/** What the gateway announces, by event name; the tuple is what listeners receive. */
export interface GatewayEventMap {
  /** A target was found healthy or unhealthy by a health check. */
  'target.health': [{ service: string; target: string; healthy: boolean; reason: string }];
  /** A target failed real requests and is out for `period` milliseconds; `ejections` counts its ejections so far. */
  'target.ejected': [
    {
      service: string;
      target: string;
      reason: 'consecutive-failures' | 'failure-ratio';
      period: number;
      ejections: number;
    },
  ];
  /**
   * An ejected target is back: its time was over, a health check found it recovered, its policy changed, or its service
   * has fewer targets now and may not spare as many.
   */
  'target.returned': [
    { service: string; target: string; reason: 'time' | 'health-check' | 'policy' | 'share' },
  ];
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
