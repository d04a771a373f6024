import type { Registry } from 'prom-client';
import type { Clock, Logger, Metric } from '../../core/index.js';
import type { Exposition, Family, MetricType } from './exposition.js';
import { isLabelName, isMetricName, labelText } from './labels.js';

/** Metrics that are faulty are named in the log once each, and only so many of them. */
const MOST_REPORTED = 1000;
/** How long prom-client's metrics may take to collect themselves, in milliseconds. */
const MOST_TIME = 2000;

/** What the requirements name and a plugin has to say; there is no sample where no plugin does. */
const CIRCUIT_BREAKER_STATE: Family = {
  name: 'gateway_circuit_breaker_state',
  help: 'State of the circuit of a service: 0 closed, 1 half-open, 2 open.',
  type: 'gauge',
};

interface Sample {
  readonly suffix: string;
  readonly labels: string;
  readonly value: number;
}

/** A metric of somebody else's, checked. */
interface CheckedMetric extends Family {
  readonly samples: readonly Sample[];
}

/** Where metrics come from that are not the plugin's own. */
export interface ForeignSources {
  /** The `metrics` members of all plugins. */
  readonly plugins: () => readonly Metric[];
  /** What was registered with prom-client. */
  readonly registry: Registry;
}

/**
 * Metrics of other plugins, and what was registered with prom-client. One that is malformed, or whose name is taken, is left
 * out, and named in the log once: a scraper refuses the whole text for one faulty line.
 */
export class ForeignMetrics {
  readonly #sources: ForeignSources;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #reported: Set<string>;

  /** @param reported the names that were in the log already */
  constructor(sources: ForeignSources, clock: Clock, logger: Logger, reported: Set<string>) {
    this.#sources = sources;
    this.#clock = clock;
    this.#logger = logger;
    this.#reported = reported;
  }

  /** Asks prom-client's metrics, which may take their time; what they say is for {@link write}. */
  async collect(): Promise<readonly CheckedMetric[]> {
    const { registry } = this.#sources;
    const names = registry.getMetricsAsArray().map(({ name }) => name);
    if (names.length === 0) return [];
    const collected = await Promise.all(names.map((name) => this.#collectOne(registry, name)));
    return collected.filter((metric) => metric !== undefined);
  }

  write(registered: readonly CheckedMetric[], out: Exposition): void {
    for (const metric of this.#ofPlugins()) this.#writeOne(metric, out);
    if (!out.isTaken(CIRCUIT_BREAKER_STATE)) out.begin(CIRCUIT_BREAKER_STATE);
    for (const metric of registered) this.#writeOne(metric, out);
  }

  *#ofPlugins(): Iterable<CheckedMetric> {
    for (const metric of this.#sources.plugins()) {
      const checked = this.#check(metric.name, () => checkedOf(metric));
      if (checked !== undefined) yield checked;
    }
  }

  async #collectOne(registry: Registry, name: string): Promise<CheckedMetric | undefined> {
    let giveUp = () => {};
    const timer = this.#clock.setTimeout(() => giveUp(), MOST_TIME);
    try {
      const tooLong = new Promise<never>((_, reject) => {
        giveUp = () => reject(new Error(`It took longer than ${MOST_TIME} ms`));
      });
      const metric = await Promise.race([registry.getSingleMetric(name)?.get(), tooLong]);
      if (metric === undefined) return undefined;
      return this.#check(name, () => checkedRegistered(metric));
    } catch (err) {
      this.#report(name, 'A metric is left out', err);
      return undefined;
    } finally {
      timer.cancel();
    }
  }

  #writeOne(metric: CheckedMetric, out: Exposition): void {
    if (out.isTaken(metric)) {
      this.#report(metric.name, 'A metric is left out', new Error('There is a metric of that name already'));
      return;
    }
    out.begin(metric);
    for (const { labels, value, suffix } of metric.samples) out.sample(labels, value, suffix);
  }

  #check(name: string, check: () => CheckedMetric): CheckedMetric | undefined {
    try {
      return check();
    } catch (err) {
      this.#report(name, 'A metric is left out', err);
      return undefined;
    }
  }

  #report(metric: string, message: string, err: unknown): void {
    if (this.#reported.has(metric) || this.#reported.size >= MOST_REPORTED) return;
    this.#reported.add(metric);
    this.#logger.warn({ metric, err }, message);
  }
}

/** @throws Error saying what is wrong with it */
function checkedOf({ name, help, type, series }: Metric): CheckedMetric {
  checkName(name);
  if (type !== 'counter' && type !== 'gauge') throw new Error(`Its type is '${String(type)}'`);
  if ((type === 'counter') !== name.endsWith('_total')) {
    throw new Error('The name of a counter, and of nothing else, ends in _total');
  }
  const samples = Array.from(series, ({ labels, value }) => sample('', labels, value));
  return { name, help: String(help), type, samples: distinct(samples) };
}

/** What prom-client says of a metric. */
type Registered = Awaited<ReturnType<NonNullable<ReturnType<Registry['getSingleMetric']>>['get']>>;

/** @throws Error saying what is wrong with it */
function checkedRegistered({ name, help, type, values }: Registered): CheckedMetric {
  checkName(name);
  const samples = values.map((value) => {
    const full = 'metricName' in value ? String(value.metricName ?? name) : name;
    return sample(full.slice(name.length), value.labels, value.value);
  });
  return { name, help, type: typeOf(name, String(type)), samples: distinct(samples) };
}

/** A counter is one to both formats only where its name says so. */
function typeOf(name: string, type: string): MetricType {
  if (type === 'counter') return name.endsWith('_total') ? 'counter' : 'unknown';
  return type === 'gauge' || type === 'histogram' || type === 'summary' ? type : 'unknown';
}

function checkName(name: string): void {
  if (typeof name !== 'string' || !isMetricName(name)) throw new Error('Its name is none for a metric');
}

function sample(
  suffix: string,
  labels: Readonly<Record<string, string | number | undefined>>,
  value: number,
): Sample {
  if (typeof value !== 'number') throw new Error('A value of it is no number');
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(labels)) {
    if (!isLabelName(name)) throw new Error(`'${name}' is no name for a label`);
    texts[name] = String(text);
  }
  return { suffix, labels: labelText(texts), value };
}

function distinct(samples: readonly Sample[]): readonly Sample[] {
  const keys = new Set(samples.map(({ suffix, labels }) => `${suffix} ${labels}`));
  if (keys.size < samples.length) throw new Error('It has two values for the same labels');
  return samples;
}
