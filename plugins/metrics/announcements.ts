import type { Clock, GatewayEventMap, GatewayEvents } from '../../core/index.js';
import type { Exposition, Family } from './exposition.js';
import { labelText } from './labels.js';

const GENERATION: Family = {
  name: 'gateway_config_generation',
  help: 'Number of the configuration in use; each reload has a higher one.',
  type: 'gauge',
};
const RELOADS: Family = {
  name: 'gateway_config_reloads_total',
  help: 'Reloads of the configuration, by result.',
  type: 'counter',
};
const LATEST: Family = {
  name: 'gateway_config_last_reload_successful',
  help: 'Whether the latest reload was taken into use: 1 or 0.',
  type: 'gauge',
};
const LOADED: Family = {
  name: 'gateway_config_last_reload_success_timestamp_seconds',
  help: 'When the configuration in use was loaded, in seconds since the epoch.',
  type: 'gauge',
};
const HEALTH: Family = {
  name: 'gateway_target_health_changes_total',
  help: 'Changes of health of the targets of a service, by what they were found to be.',
  type: 'counter',
};

/** Counts what the gateway announces: reloads, and targets whose health changes. Listens until it is {@link stop}ped. */
export class Announcements {
  readonly #events: GatewayEvents;
  readonly #clock: Clock;
  readonly #health = new Map<string, { healthy: number; unhealthy: number }>();
  #generation = 1;
  #succeeded = 0;
  #failed = 0;
  #successful = true;
  #loadedAt: number;

  constructor(events: GatewayEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    this.#loadedAt = clock.now();
    events.on('reload', this.#onReload);
    events.on('target.health', this.#onHealth);
  }

  stop(): void {
    this.#events.off('reload', this.#onReload);
    this.#events.off('target.health', this.#onHealth);
  }

  /** Forgets the services that are gone. */
  prune(services: ReadonlySet<string>): void {
    for (const name of this.#health.keys()) if (!services.has(name)) this.#health.delete(name);
  }

  write(out: Exposition): void {
    out.begin(GENERATION);
    out.sample('', this.#generation);
    out.begin(RELOADS);
    out.sample(labelText({ result: 'success' }), this.#succeeded);
    out.sample(labelText({ result: 'failure' }), this.#failed);
    out.begin(LATEST);
    out.sample('', Number(this.#successful));
    out.begin(LOADED);
    out.sample('', this.#loadedAt / 1000);
    out.begin(HEALTH);
    for (const [service, { healthy, unhealthy }] of this.#health) {
      out.sample(labelText({ service, to: 'healthy' }), healthy);
      out.sample(labelText({ service, to: 'unhealthy' }), unhealthy);
    }
  }

  readonly #onReload = ({ generation, ok }: GatewayEventMap['reload'][0]): void => {
    this.#generation = generation;
    this.#successful = ok;
    if (ok) {
      this.#succeeded++;
      this.#loadedAt = this.#clock.now();
    } else {
      this.#failed++;
    }
  };

  readonly #onHealth = ({ service, healthy }: GatewayEventMap['target.health'][0]): void => {
    const changes = this.#health.get(service) ?? { healthy: 0, unhealthy: 0 };
    if (healthy) changes.healthy++;
    else changes.unhealthy++;
    this.#health.set(service, changes);
  };
}
