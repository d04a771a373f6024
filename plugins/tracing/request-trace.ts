import type { GatewayRequest } from '../../core/index.js';
import type { RandomIds } from './ids.js';
import type { RatioSampler } from './sampler.js';
import { parseTraceParent, type TraceParent } from './traceparent.js';
import { readTraceState } from './tracestate.js';

/** From whom a trace is taken up: everybody, the trusted proxies, or nobody. */
export type Accept = 'all' | 'trusted' | 'none';

/** The trace that a request belongs to, and the gateway's span in it. */
export interface RequestTrace {
  readonly traceId: string;
  /** The gateway's span, below which the attempts stand. */
  readonly spanId: string;
  /** The caller's span; undefined where the trace begins here. */
  readonly parentId: string | undefined;
  readonly sampled: boolean;
  /** `tracestate` to pass on; undefined for none. */
  readonly state: string | undefined;
  /** Whether the request brought a `tracestate` that must not get through as it is. */
  readonly editState: boolean;
  /** Added to a time on the clock's monotonic scale it gives milliseconds since the Unix epoch. */
  readonly epoch: number;
}

/** Tells the trace of each request: its caller's, or a new one. */
export class TraceReader {
  readonly #accept: Accept;
  readonly #ids: RandomIds;

  constructor(accept: Accept, ids: RandomIds) {
    this.#accept = accept;
    this.#ids = ids;
  }

  /** @param epoch see {@link RequestTrace.epoch} */
  read(request: GatewayRequest, sampler: RatioSampler, epoch: number): RequestTrace {
    const accepts = this.#accept === 'all' || (this.#accept === 'trusted' && request.peer.trusted);
    const raw = request.req.rawHeaders;
    let field: string | undefined;
    let fields = 0;
    let states: string[] | undefined;
    // Not by way of `req.headers`, which Node.js would make for this alone.
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? '';
      if (name.length === 11 && name.toLowerCase() === 'traceparent') {
        field = raw[i + 1];
        fields++;
      } else if (name.length === 10 && name.toLowerCase() === 'tracestate') {
        states ??= [];
        states.push(raw[i + 1] ?? '');
      }
    }
    let parent: TraceParent | undefined;
    let state: string | undefined;
    if (accepts && fields === 1 && field !== undefined) {
      parent = parseTraceParent(field);
      if (parent !== undefined && states !== undefined) state = readTraceState(states);
    }
    const traceId = parent?.traceId ?? this.#ids.trace();
    return {
      traceId,
      spanId: this.#ids.span(),
      parentId: parent?.spanId,
      sampled: parent?.sampled ?? sampler.takes(traceId),
      state,
      editState: states !== undefined && !(states.length === 1 && states[0] === state),
      epoch,
    };
  }
}

const TRACE = Symbol('trace');

interface TracedRequest extends GatewayRequest {
  /** On the request itself: a look-up in a WeakMap costs several times as much. */
  [TRACE]?: RequestTrace;
}

/** The trace that was noted with a request. */
export function traceOf(request: GatewayRequest): RequestTrace | undefined {
  return (request as TracedRequest)[TRACE];
}

export function noteTrace(request: GatewayRequest, trace: RequestTrace): void {
  (request as TracedRequest)[TRACE] = trace;
}
