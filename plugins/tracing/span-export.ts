import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace';
import type { Clock, Logger } from '../../core/index.js';
import type { RequestTrace } from './request-trace.js';
import { type SpanOrigin, type SpanRecord, toReadableSpan } from './span.js';

/** How spans are exported. Times in milliseconds. */
export interface ExportOptions {
  /** Where spans are POSTed to, with the path. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly gzip: boolean;
  /** For one batch, tries included. */
  readonly timeout: number;
  /** Longest time that a span waits for its batch to fill. */
  readonly interval: number;
  /** Spans in a batch. */
  readonly batch: number;
  /** Spans that may wait or be under way; what comes then is dropped. */
  readonly queue: number;
  /** `service.name` and whatever else describes this gateway. */
  readonly resource: Readonly<Record<string, string>>;
}

/** What became of spans. */
export interface SpanCounts {
  exported: number;
  failed: number;
  dropped: number;
}

/** A collector that is down is told of once in a while, in milliseconds. */
const QUIET = 60_000;

/**
 * Hands spans to OpenTelemetry's batch processor and OTLP/HTTP exporter. Bounded, and harmless when the collector is
 * slow or gone: spans are dropped and counted then.
 */
export class SpanExport {
  readonly #queue: number;
  readonly #origin: SpanOrigin;
  readonly #exporter: SpanExporter;
  readonly #processor: BatchSpanProcessor;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #counts: SpanCounts;
  #waiting = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  /** @param counts are added to */
  constructor(options: ExportOptions, counts: SpanCounts, logger: Logger, clock: Clock) {
    const { endpoint, headers, gzip, timeout, interval, batch, queue, resource } = options;
    this.#queue = queue;
    this.#counts = counts;
    this.#logger = logger;
    this.#clock = clock;
    this.#origin = {
      resource: resourceFromAttributes(resource),
      instrumentationScope: { name: 'api-gateway' },
    };
    const settings: ConstructorParameters<typeof OTLPTraceExporter>[0] = {
      url: endpoint,
      headers: { ...headers },
      timeoutMillis: timeout,
      // The type wants a member of an enumeration that this package does not export.
      ...(gzip ? { compression: 'gzip' as NonNullable<OtlpSettings['compression']> } : {}),
    };
    this.#exporter = new OTLPTraceExporter(settings);
    this.#processor = new BatchSpanProcessor({
      exporter: { export: this.#export, shutdown: () => this.#exporter.shutdown() },
      maxQueueSize: queue,
      maxExportBatchSize: Math.min(batch, queue),
      scheduledDelayMillis: interval,
      // Later than the exporter's own, which says what went wrong.
      exportTimeoutMillis: timeout + 1000,
    });
  }

  /** Whether there is room for a span; where there is none, it counts as dropped, and need not be made. */
  takes(): boolean {
    if (!this.#stopped && this.#waiting < this.#queue) return true;
    this.#counts.dropped++;
    return false;
  }

  /** Takes a span that has ended, after {@link takes} has said so. */
  add(trace: RequestTrace, span: SpanRecord): void {
    this.#waiting++;
    this.#processor.onEnd(toReadableSpan(trace, span, this.#origin));
  }

  /**
   * Exports what waits, and ends.
   *
   * @param limit milliseconds after which it is left at that
   */
  async stop(limit: number): Promise<void> {
    this.#stopped = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<void>((resolve) => {
      // Of the system, not the gateway's clock, as the processor's own are.
      timer = setTimeout(resolve, limit);
    });
    const flushed = this.#processor.shutdown().catch((err: unknown) => this.#complain(err));
    await Promise.race([flushed, tooLong]);
    clearTimeout(timer);
    if (this.#waiting === 0) return;
    const { failed, dropped } = this.#counts;
    this.#logger.warn({ spans: this.#waiting, failed, dropped }, 'Spans were not exported before the end');
  }

  /** A failure is this class's to tell, and no error for the processor, which would tell a global handler. */
  readonly #export: SpanExporter['export'] = (spans, done) => {
    const settle = (error: unknown) => {
      this.#waiting -= spans.length;
      if (error === undefined) this.#counts.exported += spans.length;
      else this.#counts.failed += spans.length;
      if (error !== undefined) this.#complain(error);
      done({ code: 0 });
    };
    try {
      this.#exporter.export(spans, ({ code, error }) =>
        settle(code === 0 ? undefined : (error ?? new Error('The collector refused the spans'))),
      );
    } catch (error) {
      settle(error);
    }
  };

  #complain(err: unknown): void {
    const now = this.#clock.monotonic();
    if (now - this.#complainedAt < QUIET) return;
    this.#complainedAt = now;
    const reason = err instanceof Error ? err.message : String(err);
    const { failed, dropped } = this.#counts;
    this.#logger.warn({ reason, failed, dropped }, 'Spans could not be exported');
  }
}

type OtlpSettings = NonNullable<ConstructorParameters<typeof OTLPTraceExporter>[0]>;
