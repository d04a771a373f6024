import type { Clock } from '../clock.js';
import type { Due } from './due-queue.js';
import { DueTimer } from './due-timer.js';
import type { Service } from './service.js';
import { type Target, WARM } from './target.js';

/** In how many steps a share grows: each of them tells the balancer anew. */
const STEPS = 20;

interface Ramp extends Due {
  readonly target: Target;
  /** The service that the target belongs to at present; another after a reload. */
  service: Service;
  readonly startedAt: number;
}

/**
 * Slow starts: a target that takes requests again gets a share of the traffic that grows in a straight line, so that it
 * can fill its caches and connections first. One for all services, with one timer.
 */
export class SlowStarts {
  readonly #clock: Clock;
  readonly #ramps = new Map<Target, Ramp>();
  readonly #timer: DueTimer<Ramp>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = new DueTimer(clock, (ramp) => this.#step(ramp));
  }

  /** How many targets are starting. */
  get size(): number {
    return this.#ramps.size;
  }

  /** Begins the start of a target anew, where its service has it. The caller tells the balancer afterwards. */
  begin(target: Target, service: Service): void {
    this.#end(target);
    if (service.settings.slowStart === undefined) return;
    const now = this.#clock.monotonic();
    const ramp: Ramp = { target, service, startedAt: now, dueAt: 0, heapIndex: -1 };
    this.#ramps.set(target, ramp);
    this.#warm(ramp, now);
  }

  /** Goes on with the starts that a service takes over from the one it replaces, by its own settings. */
  watch(service: Service): void {
    const now = this.#clock.monotonic();
    for (const target of service.targets) {
      const ramp = this.#ramps.get(target);
      if (ramp === undefined) continue;
      ramp.service = service;
      this.#warm(ramp, now);
    }
  }

  /** Ends the starts of targets that no other service has taken over. */
  unwatch(service: Service): void {
    for (const target of service.targets) {
      if (this.#ramps.get(target)?.service === service) this.#end(target);
    }
  }

  /** Ends the timer; shares grow no more. */
  stop(): void {
    this.#timer.clear();
    this.#ramps.clear();
  }

  #step(ramp: Ramp): void {
    const { target, service } = ramp;
    // Out again: its return begins a new start.
    if (!target.takesRequests) {
      this.#end(target);
      return;
    }
    const before = target.warmth;
    this.#warm(ramp, this.#clock.monotonic());
    if (target.warmth !== before) service.refresh();
  }

  #warm(ramp: Ramp, now: number): void {
    const { target, service, startedAt } = ramp;
    const settings = service.settings.slowStart;
    const progress = settings === undefined ? 1 : (now - startedAt) / settings.duration;
    if (settings === undefined || progress >= 1) {
      this.#end(target);
      return;
    }
    const { duration, minimumShare } = settings;
    const share = minimumShare + (1 - minimumShare) * progress;
    target.warmth = Math.max(Math.round(WARM * share), 1);
    this.#timer.set(ramp, Math.min(now + duration / STEPS, startedAt + duration));
  }

  #end(target: Target): void {
    const ramp = this.#ramps.get(target);
    target.warmth = WARM;
    if (ramp === undefined) return;
    this.#ramps.delete(target);
    this.#timer.delete(ramp);
  }
}
