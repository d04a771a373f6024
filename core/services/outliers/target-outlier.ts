import type { Clock } from '../../clock.js';
import type { OutlierEjectionSettings } from '../../config/service-schema.js';
import type { Due } from '../due-queue.js';
import type { Service } from '../service.js';
import type { Target } from '../target.js';
import { EjectionPeriods } from './ejection-periods.js';
import { FailureWindow } from './failure-window.js';

/** Why a target was ejected. */
export type EjectionReason = 'consecutive-failures' | 'failure-ratio';

/** Who decides on the targets of all services. */
export interface EjectionCourt {
  /** Ejects the target, if the share of ejected ones allows it. */
  accuse(outlier: TargetOutlier, reason: EjectionReason): void;
  /** Ends an ejection early, because a health check found that the target has recovered. */
  acquit(outlier: TargetOutlier): void;
}

/** What a {@link TargetOutlier} is made of. */
export interface TargetOutlierInit {
  readonly target: Target;
  readonly service: Service;
  readonly policy: OutlierEjectionSettings;
  readonly clock: Clock;
  readonly court: EjectionCourt;
}

/** The record of one target: how real requests to it went. Lives as long as the target and the policy. */
export class TargetOutlier implements Due {
  readonly target: Target;
  readonly policy: OutlierEjectionSettings;
  /** The service that the target belongs to at present; another after a reload. */
  service: Service;
  /** When its ejection ends; kept by the queue of ejections. */
  dueAt = 0;
  heapIndex = -1;
  readonly #periods: EjectionPeriods;
  readonly #window: FailureWindow | undefined;
  readonly #court: EjectionCourt;
  #failuresInARow = 0;
  #ejections = 0;

  constructor({ target, service, policy, clock, court }: TargetOutlierInit) {
    this.target = target;
    this.service = service;
    this.policy = policy;
    this.#periods = new EjectionPeriods(policy.baseTime, policy.maxTime);
    this.#window = policy.failureRatio > 0 ? new FailureWindow(policy.window, clock) : undefined;
    this.#court = court;
  }

  /** How often the target was ejected under this policy. */
  get ejections(): number {
    return this.#ejections;
  }

  /**
   * Notes how an attempt went. To be called once per attempt, with its head or its failure. What ends while the target
   * is out, or unhealthy by its checks, says nothing new and is passed over.
   */
  record(ok: boolean): void {
    const { target } = this;
    if (target.ejected || !target.healthy) return;
    this.#window?.add(ok);
    if (ok) {
      this.#failuresInARow = 0;
      return;
    }
    this.#failuresInARow++;
    const reason = this.#accusation();
    if (reason !== undefined) this.#court.accuse(this, reason);
  }

  /** A health check has found that the target has recovered. */
  recovered(): void {
    if (this.target.ejected) this.#court.acquit(this);
  }

  /** For the court: begins an ejection, and returns its length in milliseconds. */
  begin(now: number): number {
    this.#failuresInARow = 0;
    this.#window?.clear();
    this.#ejections++;
    return this.#periods.next(now);
  }

  /** For the court: ends an ejection. */
  end(now: number): void {
    this.#periods.returned(now);
  }

  #accusation(): EjectionReason | undefined {
    const { consecutiveFailures, failureRatio, minimumVolume } = this.policy;
    if (consecutiveFailures > 0 && this.#failuresInARow >= consecutiveFailures) return 'consecutive-failures';
    const window = this.#window;
    if (window === undefined || window.total < minimumVolume) return undefined;
    return window.failures >= failureRatio * window.total ? 'failure-ratio' : undefined;
  }
}
