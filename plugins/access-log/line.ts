import {
  type Exchange,
  type GatewayRequest,
  IsoTimes,
  jsonMilliseconds,
  jsonText,
  type Target,
} from '../../core/index.js';

/** How lines are made. */
export interface LineOptions {
  /** The id of the plugin instance. */
  readonly plugin: string;
  /** Whether they have the client's address. */
  readonly client: boolean;
}

/** What a line says beside what the request itself knows. */
export interface Outcome {
  readonly status: number;
  /** In milliseconds. */
  readonly duration: number;
  /** Of the error table; undefined for a request that went well. */
  readonly code: string | undefined;
  /** The share of such requests that are logged, from above 0 to 1. */
  readonly share: number;
}

/** Values of a decision that are kept in the form that they have in lines, and how long they may be. */
const MOST_KEPT = 64;
const LONGEST_KEPT = 24;

/**
 * Writes the lines of the access log as JSON, out of parts that need no work and texts that seldom need any: to make an
 * object first, and have it serialised, costs several times as much.
 */
export class LineFormat {
  readonly #times = new IsoTimes();
  readonly #head: string;
  readonly #client: boolean;
  /** The service and the route of a request that was not led elsewhere. */
  readonly #routes = new WeakMap<Exchange['route'], string>();
  readonly #targets = new WeakMap<Target, string>();
  /** Decisions as they stand in a line, by name and value. */
  readonly #known = new Map<string, Map<string, string>>();

  constructor(options: LineOptions) {
    this.#head = `","logger":"api-gateway","plugin":${jsonText(options.plugin)},"request_id":`;
    this.#client = options.client;
  }

  /**
   * The line for a request that is over, with its newline.
   *
   * @param now milliseconds since the Unix epoch
   */
  format(request: GatewayRequest, outcome: Outcome, now: number): string {
    const { status, code, share } = outcome;
    const exchange = request.isExchange() ? request : undefined;
    let line = `{"level":"INFO","timestamp":"${this.#times.format(now)}${this.#head}${jsonText(request.requestId)}`;
    if (exchange !== undefined) line += this.#destination(exchange);
    line += `,"method":${jsonText(request.req.method ?? '')},"path":${jsonText(request.path)},"status":${status}`;
    line += `,"duration_ms":${jsonMilliseconds(outcome.duration)}`;
    if (exchange?.upstream !== undefined) line += `,"bytes":${exchange.upstream.bytes}`;
    if (this.#client) line += `,"client":${jsonText(request.clientAddress)}`;
    if (request.consumer !== undefined) line += `,"consumer":${jsonText(request.consumer.id)}`;
    if (exchange !== undefined) line += this.#attempts(exchange);
    if (code !== undefined) line += `,"code":${jsonText(code)}`;
    if (share !== 1) line += `,"sample":${share}`;
    return `${line}${this.#decisions(request.decisions)},"message":"${message(exchange, status, code)}"}\n`;
  }

  #destination({ route, service }: Exchange): string {
    if (service !== route.service) return destination(service.name, route.id);
    let text = this.#routes.get(route);
    if (text === undefined) {
      text = destination(service.name, route.id);
      this.#routes.set(route, text);
    }
    return text;
  }

  #decisions(decisions: Readonly<Record<string, unknown>>): string {
    let text = '';
    for (const name in decisions) {
      const value = decisions[name];
      if (value !== undefined) text += this.#decision(name, String(value));
    }
    return text;
  }

  #decision(name: string, value: string): string {
    // Ids of traces are never the same; what plugins decide nearly always is.
    if (value.length > LONGEST_KEPT) return `,${jsonText(name)}:${jsonText(value)}`;
    let known = this.#known.get(name);
    if (known === undefined) {
      known = new Map();
      this.#known.set(name, known);
    }
    let text = known.get(value);
    if (text === undefined) {
      text = `,${jsonText(name)}:${jsonText(value)}`;
      if (known.size < MOST_KEPT) known.set(value, text);
    }
    return text;
  }

  /** What became of the request upstream; the times are the latest attempt's. */
  #attempts({ target, attempts, upstream }: Exchange): string {
    let text = target === undefined ? '' : this.#target(target);
    text += `,"attempts":${attempts}`;
    if (upstream === undefined) return text;
    const { sentAt, connectedAt, connectTime, headAt } = upstream;
    // 0 stands for what did not happen, on a clock that has long left it.
    if (connectedAt !== 0) {
      const queued = Math.max(0, connectedAt - sentAt - connectTime);
      text += `,"queue_ms":${jsonMilliseconds(queued)},"connect_ms":${jsonMilliseconds(connectTime)}`;
    }
    if (headAt !== 0) text += `,"first_byte_ms":${jsonMilliseconds(headAt - connectedAt)}`;
    return text;
  }

  #target(target: Target): string {
    let text = this.#targets.get(target);
    if (text === undefined) {
      text = `,"target":${jsonText(target.url)}`;
      this.#targets.set(target, text);
    }
    return text;
  }
}

function destination(service: string, route: string): string {
  return `,"service":${jsonText(service)},"route":${jsonText(route)}`;
}

function message(exchange: Exchange | undefined, status: number, code: string | undefined): string {
  if (code !== undefined || status === 499) return 'Request failed';
  // Not so where a plugin had the answer, a cache for example.
  return exchange !== undefined && exchange.attempts > 0
    ? 'Request proxied successfully'
    : 'Request answered by the gateway';
}
