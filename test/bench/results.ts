import type { Sample, Series } from './measure.js';
import type { Stage } from './stages.js';
import type { Scenario } from './workloads.js';

export interface Spread {
  readonly median: number;
  /** First and third quartile: between them lies the middle half of the rounds. */
  readonly low: number;
  readonly high: number;
  /** Where the median itself lies, with 95 % confidence, by the order of the values. */
  readonly from: number;
  readonly to: number;
}

/** @throws RangeError without a value */
function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (part: number) => {
    const position = part * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? 0;
    const above = sorted[Math.ceil(position)] ?? 0;
    return below + (above - below) * (position % 1);
  };
  const reach = 0.98 / Math.sqrt(sorted.length);
  return {
    median: quantile(0.5),
    low: quantile(0.25),
    high: quantile(0.75),
    from: quantile(Math.max(0, 0.5 - reach)),
    to: quantile(Math.min(1, 0.5 + reach)),
  };
}

/** All series of a stage, to be asked by subject and scenario. */
export class Results {
  readonly stage: Stage;
  readonly all: readonly Series[];
  readonly scenarios: readonly Scenario[];

  constructor(stage: Stage, all: readonly Series[]) {
    this.stage = stage;
    this.all = all;
    this.scenarios = [...new Set(all.map((series) => series.scenario))];
  }

  series(name: string, scenario: Scenario): Series | undefined {
    return this.all.find((series) => series.subject.name === name && series.scenario === scenario);
  }

  /** Spread of one figure of the samples, or undefined without samples. */
  figure(name: string, scenario: Scenario, figure: keyof Sample): Spread | undefined {
    const samples = this.series(name, scenario)?.samples ?? [];
    return samples.length === 0 ? undefined : spreadOf(samples.map((sample) => sample[figure]));
  }

  /** CPU of one subject against another's in the same round, by `compare`, or undefined when either was not measured. */
  compared(
    name: string,
    other: string,
    scenario: Scenario,
    compare: (cpu: number, otherCpu: number) => number,
  ): Spread | undefined {
    const others = this.series(other, scenario)?.samples ?? [];
    const values = (this.series(name, scenario)?.samples ?? []).flatMap((sample, round) => {
      const same = others[round];
      return same ? [compare(sample.cpu, same.cpu)] : [];
    });
    return values.length === 0 ? undefined : spreadOf(values);
  }

  ratio(name: string, other: string, scenario: Scenario): Spread | undefined {
    return this.compared(name, other, scenario, (cpu, otherCpu) => cpu / otherCpu);
  }
}
