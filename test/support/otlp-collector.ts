import { createServer, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { until } from './until.js';

/** A span as it arrived, its times in milliseconds since the epoch. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** The empty string at the root of a trace. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: 'server' | 'client' | 'other';
  readonly start: number;
  readonly end: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** An OpenTelemetry collector in its place: takes OTLP/HTTP exports in JSON, and remembers the spans. */
export interface Collector {
  /** With the path. */
  readonly url: string;
  readonly spans: CollectedSpan[];
  readonly requests: { readonly headers: IncomingHttpHeaders; readonly path: string }[];
  /** What it answers with; 200 by default, `hang` for never. */
  answer: number | 'hang';
  /** Waits for as many spans. */
  waitFor(count: number): Promise<readonly CollectedSpan[]>;
  close(): Promise<void>;
}

/** Starts a collector on a free port of 127.0.0.1. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const requests: Collector['requests'] = [];
  const collector = { answer: 200 as number | 'hang' };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      requests.push({ headers: req.headers, path: req.url ?? '' });
      if (collector.answer === 'hang') return;
      if (collector.answer === 200) {
        const bytes = Buffer.concat(chunks);
        const text = req.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        spans.push(...decode(JSON.parse(text.toString())));
      }
      res.writeHead(collector.answer, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The collector has no TCP address');
  return Object.assign(collector, {
    url: `http://127.0.0.1:${address.port}/v1/traces`,
    spans,
    requests,
    async waitFor(count: number) {
      await until(`${count} spans`, () => spans.length >= count);
      return spans;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

// The JSON form of opentelemetry-proto's ExportTraceServiceRequest, as far as it is looked at here.
interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}
type KeyValues = readonly { readonly key: string; readonly value: Value }[];
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: KeyValues };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly traceState?: string;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: KeyValues;
        readonly status: { readonly code?: number };
      }[];
    }[];
  }[];
}

function decode({ resourceSpans }: Export): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        traceState: span.traceState ?? '',
        name: span.name,
        kind:
          span.kind === 2 ? ('server' as const) : span.kind === 3 ? ('client' as const) : ('other' as const),
        start: Number(BigInt(span.startTimeUnixNano) / 1000n) / 1000,
        end: Number(BigInt(span.endTimeUnixNano) / 1000n) / 1000,
        failed: span.status.code === 2,
        attributes: record(span.attributes),
        resource: record(resource.attributes),
      })),
    ),
  );
}

function record(pairs: KeyValues): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        (value.doubleValue === undefined ? Number(value.intValue) : value.doubleValue),
    ]),
  );
}
