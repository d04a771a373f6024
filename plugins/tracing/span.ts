import {
  type Attributes,
  type HrTime,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { RequestTrace } from './request-trace.js';

/** Where spans come from, the same for all of an exporter. */
export interface SpanOrigin {
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan['instrumentationScope'];
}

/** A span that has ended, in the gateway's own terms. */
export interface SpanRecord {
  readonly name: string;
  readonly kind: SpanKind.SERVER | SpanKind.CLIENT;
  readonly spanId: string;
  /** The parent, and whether it is another process's; undefined at the root of a trace. */
  readonly parent: { readonly spanId: string; readonly remote: boolean } | undefined;
  /** On the clock's monotonic scale, in milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: boolean;
  readonly attributes: Attributes;
}

const NONE: never[] = [];

/** The span as OpenTelemetry's exporters read it. It is made when it is over: nothing of the SDK runs before. */
export function toReadableSpan(trace: RequestTrace, record: SpanRecord, origin: SpanOrigin): ReadableSpan {
  const { name, kind, spanId, parent, startedAt, endedAt, failed, attributes } = record;
  const context = spanContext(trace, spanId, false);
  return {
    name,
    kind,
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: spanContext(trace, parent.spanId, parent.remote) }),
    startTime: hrTime(trace.epoch + startedAt),
    endTime: hrTime(trace.epoch + endedAt),
    duration: hrTime(endedAt - startedAt),
    status: { code: failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes,
    links: NONE,
    events: NONE,
    ended: true,
    ...origin,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function spanContext({ traceId, state }: RequestTrace, spanId: string, isRemote: boolean): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote,
    ...(state === undefined ? {} : { traceState: rawTraceState(state) }),
  };
}

/** Only ever written out again. */
function rawTraceState(text: string): NonNullable<SpanContext['traceState']> {
  const state = { serialize: () => text, get: () => undefined, set: () => state, unset: () => state };
  return state;
}

function hrTime(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1000);
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)];
}
