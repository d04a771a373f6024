import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.js';
import type { ServiceSettings } from '../config/service-schema.js';
import type { GatewayEventMap, GatewayEvents } from '../events.js';
import type { Logger } from '../log/logger.js';
import type { HealthChecker } from './health.js';
import { Admission, limitsAnything } from './limits/admission.js';
import { OutlierEjection } from './outliers/ejection.js';
import type { UpstreamPools } from './pools.js';
import { Service, type ServiceOrigin } from './service.js';
import { SlowStarts } from './slow-start.js';
import { Target } from './target.js';

/** What {@link LiveServices} work with. */
export interface LiveServicesInit {
  readonly pools: UpstreamPools;
  readonly health: HealthChecker;
  readonly clock: Clock;
  readonly events: GatewayEvents;
  readonly logger?: Logger | undefined;
  /** In [0, 1). */
  readonly random: () => number;
}

type Change = GatewayEventMap['service.change'][0];

/**
 * The services that take traffic, by name, and what they hold: connection pools and health checks. Each service that
 * {@link build} made ends up live by {@link swap} or {@link set}, or is given back by {@link release}.
 */
export class LiveServices {
  readonly #init: LiveServicesInit;
  readonly #ejection: OutlierEjection;
  readonly #slowStarts: SlowStarts;
  #services = new Map<string, Service>();

  constructor(init: LiveServicesInit) {
    this.#init = init;
    this.#ejection = new OutlierEjection(init);
    this.#slowStarts = new SlowStarts(init.clock);
  }

  get size(): number {
    return this.#services.size;
  }

  get(name: string): Service | undefined {
    return this.#services.get(name);
  }

  list(): Service[] {
    return [...this.#services.values()];
  }

  /**
   * A service that takes over the targets of the live one of that name where url and connection settings are the
   * same. Is the live one itself when nothing differs.
   *
   * @throws TlsFileError when a TLS file cannot be read
   */
  build(name: string, origin: ServiceOrigin, settings: ServiceSettings): Service {
    const live = this.#services.get(name);
    const reusable = live ? [...live.targets] : [];
    const targets: Target[] = [];
    try {
      for (const init of settings.targets) {
        const dispatcher = this.#init.pools.acquire(init.url, settings);
        const known = reusable.findIndex((target) => target.dispatcher === dispatcher);
        const [reused] = known < 0 ? [] : reusable.splice(known, 1);
        targets.push(reused ?? new Target(init, dispatcher));
      }
    } catch (error) {
      this.#releaseTargets(targets);
      throw error;
    }
    if (live && live.origin === origin && same(live, targets, settings)) {
      this.#releaseTargets(targets);
      return live;
    }
    const { random, clock } = this.#init;
    const slowStarts = this.#slowStarts;
    // The live one goes on: what is under way and who waits are the same whatever the limits.
    const admission = limitsAnything(settings.concurrency)
      ? (live?.admission ?? new Admission(clock))
      : undefined;
    const retryBudget = live?.retryBudget;
    return new Service({ name, origin, settings, targets, random, slowStarts, admission, retryBudget });
  }

  /** Gives back the pools of a service that was built and is not wanted; does nothing to a live one. */
  release(service: Service): void {
    if (this.#services.get(service.name) !== service) this.#releaseTargets(service.targets);
  }

  /** Puts a whole set in place of the live one, and announces each difference. */
  swap(services: ReadonlyMap<string, Service>): void {
    const before = this.#services;
    this.#services = new Map(services);
    const changes: Change[] = [];
    for (const [name, service] of this.#services) {
      const previous = before.get(name);
      if (previous === service) continue;
      this.#activate(service, previous);
      if (previous) this.#retire(previous);
      changes.push({ service: name, change: previous ? 'updated' : 'added' });
    }
    for (const [name, previous] of before) {
      if (this.#services.has(name)) continue;
      this.#retire(previous);
      changes.push({ service: name, change: 'removed' });
    }
    for (const change of changes) this.#announce(change);
  }

  /** Puts one service in place of the live one of that name, or removes this one, and announces it. */
  set(name: string, service: Service | undefined): void {
    const previous = this.#services.get(name);
    if (previous === service) return;
    if (service) {
      this.#services.set(name, service);
      this.#activate(service, previous);
    } else {
      this.#services.delete(name);
    }
    if (previous) this.#retire(previous);
    this.#announce({ service: name, change: service ? (previous ? 'updated' : 'added') : 'removed' });
  }

  /** Ends the timers of ejections and slow starts; the targets stay as they are. */
  stop(): void {
    this.#ejection.stop();
    this.#slowStarts.stop();
  }

  // Targets are shared with the service that is replaced, so they change only now.
  #activate(service: Service, previous: Service | undefined): void {
    for (const [index, target] of service.targets.entries()) {
      const init = service.settings.targets[index];
      target.weight = init?.weight ?? 0;
      target.priority = init?.priority ?? 0;
      // One that joins others starts slowly; those of a new service share the start.
      if (previous && !previous.targets.includes(target)) target.takesRequests = false;
    }
    this.#init.health.watch(service);
    this.#slowStarts.watch(service);
    this.#ejection.watch(service);
    service.admission?.configure(service.settings.concurrency, service.targets);
    if (previous?.admission !== service.admission) previous?.admission?.configure(undefined, service.targets);
    service.refresh();
  }

  // After the replacement was activated, so that what both share goes on.
  #retire(service: Service): void {
    this.#init.health.unwatch(service);
    this.#ejection.unwatch(service);
    this.#slowStarts.unwatch(service);
    this.#releaseTargets(service.targets);
  }

  #releaseTargets(targets: readonly Target[]): void {
    for (const target of targets) this.#init.pools.release(target.dispatcher);
  }

  // The change has taken place: a listener that throws must not make it look failed, nor keep others from hearing.
  #announce(change: Change): void {
    try {
      this.#init.events.emit('service.change', change);
    } catch (error) {
      this.#init.logger?.error(
        { service: change.service, err: error },
        'a listener for service.change failed',
      );
    }
  }
}

function same(live: Service, targets: readonly Target[], settings: ServiceSettings): boolean {
  return (
    targets.length === live.targets.length &&
    targets.every((target, index) => target === live.targets[index]) &&
    isDeepStrictEqual(live.settings, settings)
  );
}
