import type { Clock, Timer } from '../clock.js';
import type { HealthSettings } from '../config/service-schema.js';
import type { GatewayEvents } from '../events.js';
import type { Logger } from '../log/logger.js';
import { type Due, DueQueue } from './due-queue.js';
import { failureReason, httpProbe, type Probe, statusMatcher } from './probe.js';
import type { Service } from './service.js';
import type { Target } from './target.js';

/** Up to this many checks begin at once; more are spread over {@link SPREAD}. */
const FEW = 16;
/** Milliseconds. */
const SPREAD = 1000;
/** An interval varies by this share either way, so that checks do not fall into step. */
const JITTER = 0.1;
/** Milliseconds between two checks of a target, whatever the settings say. */
const MIN_INTERVAL = 100;
/** The longest delay that a timer of Node takes, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;
/** How many services a log line names. */
const NAMED = 5;

/** What a {@link HealthChecker} works with. */
export interface HealthCheckerInit {
  readonly clock: Clock;
  readonly events: GatewayEvents;
  readonly logger?: Logger | undefined;
  /** Asks a target; over HTTP by default. */
  readonly probe?: Probe | undefined;
  /** In [0, 1); for the jitter. Math.random by default. */
  readonly random?: (() => number) | undefined;
}

/** The check of one url with one set of health settings, for all targets that have both in common. */
interface Check extends Due {
  readonly key: string;
  readonly url: string;
  readonly settings: HealthSettings;
  readonly expects: (status: number) => boolean;
  readonly watchers: Set<Watcher>;
  healthy: boolean;
  lastCheck: number | undefined;
  /** Results in a row that speak against `healthy`. */
  contrary: number;
  /** While a probe is under way, the check falls due when its time is up. */
  probing: AbortController | undefined;
  startedAt: number;
}

interface Watcher {
  readonly service: Service;
  readonly target: Target;
}

/**
 * Active health checks. A target is healthy until `fall` checks in a row have failed, and again after `rise` in a row
 * have succeeded. All checks share one timer, and targets of many services that have url and health settings in common
 * share one check.
 */
export class HealthChecker {
  readonly #clock: Clock;
  readonly #events: GatewayEvents;
  readonly #logger: Logger | undefined;
  readonly #probe: Probe;
  readonly #random: () => number;
  readonly #checks = new Map<string, Check>();
  readonly #watched = new Map<Service, { readonly check: Check; readonly watcher: Watcher }[]>();
  readonly #queue = new DueQueue<Check>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(init: HealthCheckerInit) {
    this.#clock = init.clock;
    this.#events = init.events;
    this.#logger = init.logger;
    this.#probe = init.probe ?? httpProbe;
    this.#random = init.random ?? Math.random;
  }

  /** How many different checks there are. */
  get size(): number {
    return this.#checks.size;
  }

  /**
   * Checks the targets of a service from now on, and gives them the health that is known of them. A service that is
   * not checked has healthy targets. The caller refreshes the service afterwards.
   */
  watch(service: Service): void {
    const { health: settings } = service.settings;
    if (!settings.enabled || this.#stopped) {
      for (const target of service.targets) target.healthy = true;
      return;
    }
    const watched = service.targets.map((target) => {
      const check = this.#checkOf(service, target);
      const watcher = { service, target };
      check.watchers.add(watcher);
      target.healthy = check.healthy;
      target.lastHealthCheck = check.lastCheck ?? target.lastHealthCheck;
      return { check, watcher };
    });
    this.#watched.set(service, watched);
    this.#arm();
  }

  /** Ends the checks that no other service needs. */
  unwatch(service: Service): void {
    for (const { check, watcher } of this.#watched.get(service) ?? []) {
      check.watchers.delete(watcher);
      if (check.watchers.size === 0) this.#end(check);
    }
    this.#watched.delete(service);
    this.#arm();
  }

  /** Ends all checks; resolves when none is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const check of this.#checks.values()) this.#end(check);
    this.#watched.clear();
    this.#arm();
    await Promise.all(this.#underWay);
  }

  #checkOf(service: Service, target: Target): Check {
    const settings = service.settings.health;
    const { path, interval, timeout, status, rise, fall } = settings;
    const tls = target.protocol === 'https:' ? service.settings.tls : undefined;
    const key = JSON.stringify([target.url, path, interval, timeout, status, rise, fall, tls]);
    const known = this.#checks.get(key);
    if (known) return known;
    const check: Check = {
      key,
      url: target.url,
      settings,
      expects: statusMatcher(status),
      watchers: new Set(),
      // Not optimistic about a target that an earlier check, with other settings, found to be down.
      healthy: target.healthy,
      lastCheck: target.lastHealthCheck,
      contrary: 0,
      probing: undefined,
      startedAt: 0,
      dueAt: 0,
      heapIndex: -1,
    };
    this.#checks.set(key, check);
    const delay = this.#checks.size <= FEW ? 0 : this.#random() * SPREAD;
    this.#queue.set(check, this.#clock.monotonic() + delay);
    return check;
  }

  #end(check: Check): void {
    this.#checks.delete(check.key);
    this.#queue.delete(check);
    check.probing?.abort();
    check.probing = undefined;
  }

  /** Sets the one timer to what falls due first. */
  #arm(): void {
    const at = this.#queue.first?.dueAt ?? Number.POSITIVE_INFINITY;
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(Math.ceil(at - this.#clock.monotonic()), 0), MAX_DELAY);
    this.#timer = this.#clock.setTimeout(() => this.#run(), delay);
  }

  #run(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let check = this.#queue.first; check && check.dueAt <= now; check = this.#queue.first) {
      if (check.probing) {
        check.probing.abort();
        this.#conclude(check, false, 'timeout');
      } else {
        this.#start(check, now);
      }
    }
    this.#arm();
  }

  #start(check: Check, now: number): void {
    const [watcher] = check.watchers;
    if (watcher === undefined) return;
    const probing = new AbortController();
    check.probing = probing;
    check.startedAt = now;
    this.#queue.set(check, now + (check.settings.timeout || check.settings.interval));
    // A result counts only while its own probe is the current one: it may come after the time was up.
    const probe = this.#probe(watcher.target, check.settings.path, probing.signal).then(
      (status) => {
        if (check.probing === probing) this.#conclude(check, check.expects(status), `status ${status}`);
      },
      (error: unknown) => {
        if (check.probing === probing) this.#conclude(check, false, failureReason(error));
      },
    );
    this.#underWay.add(probe);
    probe.finally(() => this.#underWay.delete(probe));
  }

  #conclude(check: Check, ok: boolean, reason: string): void {
    check.probing = undefined;
    const interval = Math.max(check.settings.interval, MIN_INTERVAL);
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    this.#queue.set(check, Math.max(check.startedAt + interval * jitter, this.#clock.monotonic()));
    this.#arm();

    check.lastCheck = this.#clock.now();
    for (const { target } of check.watchers) target.lastHealthCheck = check.lastCheck;
    check.contrary = ok === check.healthy ? 0 : check.contrary + 1;
    if (check.contrary < (ok ? check.settings.rise : check.settings.fall) || ok === check.healthy) return;
    check.contrary = 0;
    check.healthy = ok;
    this.#announce(check, reason);
  }

  #announce(check: Check, reason: string): void {
    const watchers = [...check.watchers];
    for (const { service, target } of watchers) {
      target.healthy = check.healthy;
      if (check.healthy) target.outlier?.recovered();
      service.refresh();
    }
    const services = watchers.slice(0, NAMED).map(({ service }) => service.name);
    const fields = { target: check.url, services, serviceCount: watchers.length, reason };
    if (check.healthy) this.#logger?.info(fields, 'A target is healthy again');
    else this.#logger?.warn(fields, 'A target is unhealthy and gets no more requests');
    for (const { service, target } of watchers) this.#emit(service.name, target, reason);
  }

  // A listener that throws must neither end the checks nor keep other services from hearing.
  #emit(service: string, target: Target, reason: string): void {
    try {
      this.#events.emit('target.health', { service, target: target.url, healthy: target.healthy, reason });
    } catch (error) {
      this.#logger?.error({ service, err: error }, 'A listener for target.health failed');
    }
  }
}
