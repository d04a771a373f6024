import type { OutlierEjectionSettings } from '../../../../core/config/service-schema.js';

interface Modelled {
  readonly name: string;
  healthy: boolean;
  /** Attempts that count, since the latest ejection: when, and how they went. */
  log: { at: number; ok: boolean }[];
  /** Lengths of the ejections that are not forgotten, the latest last. */
  periods: number[];
  returnedAt: number;
  ejectedUntil: number | undefined;
}

/** Ejection in the plainest words: everything is kept, and counted anew each time. Times are whole milliseconds. */
export class EjectionModel {
  readonly said: string[] = [];
  targets: Modelled[] = [];
  now = 0;
  #policy: OutlierEjectionSettings;

  constructor(policy: OutlierEjectionSettings, names: readonly string[]) {
    this.#policy = policy;
    this.reload(policy, names);
  }

  find(name: string): Modelled {
    const target = this.targets.find((other) => other.name === name);
    if (target === undefined) throw new Error(`no ${name}`);
    return target;
  }

  reload(policy: OutlierEjectionSettings, names: readonly string[]): void {
    const fresh = JSON.stringify(policy) !== JSON.stringify(this.#policy);
    this.#policy = policy;
    const before = this.targets;
    this.targets = names.map((name) => {
      const known = before.find((target) => target.name === name);
      if (known && !fresh) return { ...known, healthy: true };
      if (known?.ejectedUntil !== undefined) this.said.push(`${name} back: policy`);
      return { name, healthy: true, log: [], periods: [], returnedAt: 0, ejectedUntil: undefined };
    });
    const out = () => this.targets.filter(({ ejectedUntil }) => ejectedUntil !== undefined);
    while (out().length > this.#most()) {
      const [first] = out().sort((a, b) => (a.ejectedUntil ?? 0) - (b.ejectedUntil ?? 0));
      if (first) this.#takeBack(first, 'share');
    }
    for (const gone of before.filter(({ name }) => !names.includes(name))) {
      if (gone.ejectedUntil !== undefined) this.said.push(`${gone.name} back: policy`);
    }
  }

  tick(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [due] = this.targets
        .filter(({ ejectedUntil }) => ejectedUntil !== undefined && ejectedUntil <= end)
        .sort((a, b) => (a.ejectedUntil ?? 0) - (b.ejectedUntil ?? 0));
      if (due === undefined) break;
      this.now = due.ejectedUntil ?? end;
      this.#takeBack(due, 'time');
    }
    this.now = end;
  }

  setHealth(name: string, healthy: boolean): void {
    const target = this.find(name);
    const recovers = healthy && !target.healthy;
    target.healthy = healthy;
    if (recovers && target.ejectedUntil !== undefined) this.#takeBack(target, 'health-check');
  }

  record(name: string, ok: boolean): void {
    const target = this.find(name);
    if (!target.healthy || target.ejectedUntil !== undefined) return;
    target.log.push({ at: this.now, ok });
    if (ok || !this.#isOutlier(target)) return;
    const out = this.targets.filter(({ ejectedUntil }) => ejectedUntil !== undefined).length;
    const others = this.targets.filter(
      (other) => other !== target && other.healthy && other.ejectedUntil === undefined,
    );
    if (out + 1 > this.#most() || others.length === 0) return;
    const period = this.#nextPeriod(target);
    target.ejectedUntil = this.now + period;
    target.log = [];
    this.said.push(`${name} out: ${period}`);
  }

  #isOutlier({ log }: Modelled): boolean {
    const { consecutiveFailures, failureRatio, minimumVolume, window } = this.#policy;
    const successes = log.map(({ ok }) => ok);
    const inARow = log.length - 1 - successes.lastIndexOf(true);
    if (consecutiveFailures > 0 && inARow >= consecutiveFailures) return true;
    if (failureRatio === 0) return false;
    const slice = (time: number) => Math.floor(time / (window / 10));
    const recent = log.filter(({ at }) => slice(at) > slice(this.now) - 10);
    const failed = recent.filter(({ ok }) => !ok).length;
    return recent.length >= minimumVolume && failed >= failureRatio * recent.length;
  }

  #nextPeriod(target: Modelled): number {
    const { baseTime, maxTime } = this.#policy;
    const { periods } = target;
    let served = this.now - target.returnedAt;
    for (let latest = periods.at(-1); latest !== undefined && served >= latest; latest = periods.at(-1)) {
      served -= latest;
      periods.pop();
    }
    let period = baseTime;
    for (const _ of periods) period = Math.min(period * 2, maxTime);
    period = Math.min(period, maxTime);
    // One at the longest is remembered, not each.
    if (periods.at(-1) !== maxTime) periods.push(period);
    return period;
  }

  #most(): number {
    const amount = this.targets.length;
    return Math.min(Math.floor(this.#policy.maxShare * amount + 1e-9), amount - 1);
  }

  #takeBack(target: Modelled, reason: string): void {
    target.ejectedUntil = undefined;
    target.returnedAt = this.now;
    this.said.push(`${target.name} back: ${reason}`);
  }
}
