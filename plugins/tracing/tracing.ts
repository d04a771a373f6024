import { SpanKind } from '@opentelemetry/api';
import { inject, injectable } from 'tsyringe';
import {
  type Attempt,
  type AttemptWrapper,
  CLOCK,
  type Clock,
  type GatewayMiddleware,
  type GatewayPlugin,
  type GatewayRequest,
  type Hooks,
  isGatewayError,
  LOGGER,
  type Logger,
  type Metric,
  OPTIONS,
  type Route,
  statusOf,
  type UpstreamHead,
} from '../../core/index.js';
import { clientAttributes, methodName, serverAttributes, spanName } from './attributes.js';
import { RandomIds } from './ids.js';
import { type Accept, noteTrace, type RequestTrace, TraceReader, traceOf } from './request-trace.js';
import { RatioSampler } from './sampler.js';
import { type SpanCounts, SpanExport } from './span-export.js';
import { formatTraceParent } from './traceparent.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    /** The trace that the request belongs to: 32 hexadecimal digits. */
    trace_id: string;
    /** The gateway's span in it: 16 hexadecimal digits. */
    span_id: string;
  }
}

/** Options of the tracing plugin. Times in milliseconds. */
export interface TracingOptions {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly gzip: boolean;
  readonly sample: number;
  readonly accept: Accept;
  readonly serviceName: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly client: boolean;
  readonly endpoints: boolean;
  readonly responseHeader: 'errors' | 'always' | 'never';
  readonly timeout: number;
  readonly interval: number;
  readonly batch: number;
  readonly queue: number;
  readonly stopTimeout: number;
}

/** The response field with the trace's id. */
const TRACE_ID = 'X-Trace-Id';

/**
 * Takes up or begins a trace with each request, passes it on, and exports the spans of those that are sampled. What is
 * not sampled gets ids and nothing else.
 */
@injectable()
export class Tracing implements GatewayPlugin<TracingOptions> {
  readonly hooks: Hooks;
  readonly #options: TracingOptions;
  readonly #clock: Clock;
  readonly #ids = new RandomIds();
  readonly #reader: TraceReader;
  readonly #sampler: RatioSampler;
  readonly #counts: SpanCounts = { exported: 0, failed: 0, dropped: 0 };
  #spans: SpanExport | undefined;

  constructor(
    @inject(OPTIONS) options: TracingOptions,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#reader = new TraceReader(options.accept, this.#ids);
    this.#sampler = new RatioSampler(options.sample);
    this.hooks = {
      onStart: () => {
        const resource = { ...options.attributes, 'service.name': options.serviceName };
        this.#spans = new SpanExport({ ...options, resource }, this.#counts, logger, clock);
      },
      onStop: () => this.#spans?.stop(options.stopTimeout),
    };
  }

  middleware(_route: Route, { sample, responseHeader }: TracingOptions): GatewayMiddleware {
    const sampler = new RatioSampler(sample);
    return (ctx, next) => {
      const exchange = ctx.gateway;
      const trace = this.#begin(exchange, sampler);
      exchange.setUpstreamHeader(
        'traceparent',
        formatTraceParent(trace.traceId, trace.spanId, trace.sampled),
      );
      if (trace.editState) {
        if (trace.state === undefined) exchange.removeUpstreamHeader('tracestate');
        else exchange.setUpstreamHeader('tracestate', trace.state);
      }
      if (responseHeader === 'always') ctx.set(TRACE_ID, trace.traceId);
      if (responseHeader !== 'errors') return next();
      return next().catch((failure: unknown) => {
        ctx.set(TRACE_ID, trace.traceId);
        throw failure;
      });
    };
  }

  attempt(): AttemptWrapper {
    return (attempt, next) => {
      const trace = traceOf(attempt.exchange);
      return trace?.sampled ? this.#record(trace, attempt, next) : next();
    };
  }

  finished(request: GatewayRequest): void {
    let trace = traceOf(request);
    if (trace === undefined) {
      if (!this.#options.endpoints && !request.isExchange()) return;
      trace = this.#begin(request, this.#sampler);
    }
    if (!trace.sampled || !this.#spans?.takes()) return;
    const status = statusOf(request);
    this.#spans.add(trace, {
      name: spanName(request),
      kind: SpanKind.SERVER,
      spanId: trace.spanId,
      parent: trace.parentId === undefined ? undefined : { spanId: trace.parentId, remote: true },
      startedAt: request.startedAt,
      endedAt: this.#clock.monotonic(),
      failed: status >= 500,
      attributes: serverAttributes(request, status, this.#options.client),
    });
  }

  *metrics(): Iterable<Metric> {
    yield {
      name: 'gateway_tracing_spans_total',
      help: 'Spans of sampled requests, by what became of them.',
      type: 'counter',
      series: Object.entries(this.#counts).map(([outcome, value]) => ({ labels: { outcome }, value })),
    };
  }

  #begin(request: GatewayRequest, sampler: RatioSampler): RequestTrace {
    const epoch = this.#clock.now() - this.#clock.monotonic();
    const trace = this.#reader.read(request, sampler, epoch);
    noteTrace(request, trace);
    request.decide('trace_id', trace.traceId);
    request.decide('span_id', trace.spanId);
    return trace;
  }

  /** Makes an attempt with a span of its own, which the upstream is told to be its parent. */
  async #record(
    trace: RequestTrace,
    { exchange, target, number }: Attempt,
    next: () => Promise<UpstreamHead>,
  ) {
    const spanId = this.#ids.span();
    const startedAt = this.#clock.monotonic();
    exchange.setUpstreamHeader('traceparent', formatTraceParent(trace.traceId, spanId, true));
    let status: number | undefined;
    let error: string | undefined;
    try {
      const head = await next();
      status = head.status;
      return head;
    } catch (failure) {
      error = isGatewayError(failure) ? failure.code : 'INTERNAL_ERROR';
      throw failure;
    } finally {
      // What a plugin behind this one refused was asked of nobody.
      if (exchange.attempts >= number && this.#spans?.takes())
        this.#spans.add(trace, {
          name: methodName(exchange),
          kind: SpanKind.CLIENT,
          spanId,
          parent: { spanId: trace.spanId, remote: false },
          startedAt,
          endedAt: this.#clock.monotonic(),
          failed: error !== undefined || (status ?? 0) >= 400,
          attributes: clientAttributes(exchange, target, number, { status, error }),
        });
    }
  }
}
