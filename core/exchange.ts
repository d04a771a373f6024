import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Consumer, Route } from './plugin.js';
import type { BodyStream } from './proxy/body-stream.js';
import type { Peer } from './proxy/peers.js';
import type { UpstreamResponse } from './proxy/upstream-response.js';
import type { Target } from './services/target.js';

/** What the kernel knows of any request as soon as its head has been read. */
export interface RequestFacts {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** `upgrade` while the onion runs before a 101 (WebSocket); `http` otherwise. */
  readonly kind: 'http' | 'upgrade';
  /** Unique, sortable by time; in every response, log line and upstream request. */
  readonly requestId: string;
  /** When the request head was complete, on the clock's monotonic scale, in milliseconds. */
  readonly startedAt: number;
  /** The peer at the other end of the connection: the client itself, or a proxy in between. */
  readonly peer: Peer;
  /** The address of the client, as the nearest untrusted hop gave it. */
  readonly clientAddress: string;
  /** `http` or `https`: how the client came, as told by a trusted proxy or seen on the socket. */
  readonly scheme: string;
  /** The `Host` that the client asked for. */
  readonly host: string;
  /** The normalised path, without query. */
  readonly path: string;
  /** The query with its `?`, or the empty string; byte for byte as sent. */
  readonly query: string;
  /** Whether the request brings a body. */
  readonly hasBody: boolean;
  /** Whether the client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean;
}

/**
 * One request to the gateway and its response: `ctx.gateway` in admin routes and endpoints. Requests that are
 * forwarded have an {@link Exchange}.
 */
export class GatewayRequest implements RequestFacts {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly kind: 'http' | 'upgrade';
  readonly requestId: string;
  readonly startedAt: number;
  readonly peer: Peer;
  readonly clientAddress: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly hasBody: boolean;
  readonly expectsContinue: boolean;
  /** Who calls; set by an authentication plugin. */
  consumer: Consumer | undefined;
  /** The code of the error table that the request was answered with, if it was. */
  errorCode: string | undefined;
  /** Where the body of the client's response comes from; `none` until there is one. */
  bodySource: 'none' | 'upstream' | 'plugin';
  #finishers: (() => void)[] | undefined;

  constructor(facts: RequestFacts) {
    this.req = facts.req;
    this.res = facts.res;
    this.kind = facts.kind;
    this.requestId = facts.requestId;
    this.startedAt = facts.startedAt;
    this.peer = facts.peer;
    this.clientAddress = facts.clientAddress;
    this.scheme = facts.scheme;
    this.host = facts.host;
    this.path = facts.path;
    this.query = facts.query;
    this.hasBody = facts.hasBody;
    this.expectsContinue = facts.expectsContinue;
    this.consumer = undefined;
    this.errorCode = undefined;
    this.bodySource = 'none';
    this.#finishers = undefined;
  }

  /** Whether the request is one that a route forwards. */
  isExchange(): this is Exchange {
    return false;
  }

  /** Calls `callback` once when the response has been written in full or the connection is gone. */
  onFinished(callback: () => void): void {
    this.#finishers ??= [];
    this.#finishers.push(callback);
  }

  /** For the kernel: tells the {@link onFinished} callbacks. */
  finish(): void {
    const finishers = this.#finishers;
    if (finishers === undefined) return;
    this.#finishers = undefined;
    for (const finisher of finishers) finisher();
  }
}

/**
 * A request that a route forwards, and its response: `ctx.gateway` in middleware. One is made per request, always
 * with the same fields in the same order, so that its shape stays monomorphic.
 *
 * Plugins read it, name the consumer, and edit the upstream request with {@link setUpstreamHeader} and
 * {@link removeUpstreamHeader}.
 */
export class Exchange extends GatewayRequest {
  readonly route: Route;
  /** Path parameters of the matched route, still percent-encoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The path and query of the upstream request. */
  upstreamPath: string;
  /** The target of the latest attempt. */
  target: Target | undefined;
  /** How many times an upstream was asked. */
  attempts: number;
  /** When the upstream's head had come, monotonic milliseconds; 0 before that. */
  headAt: number;
  /** The latest upstream response under way, from the moment the request is sent. */
  upstream: UpstreamResponse | undefined;
  /** The upstream's body as a stream, once a plugin has asked for `ctx.body`. */
  bodyStream: BodyStream | undefined;
  #upstreamHeaders: Map<string, string | undefined> | undefined;

  constructor(
    facts: RequestFacts,
    route: Route,
    params: Readonly<Record<string, string>>,
    upstreamPath: string,
  ) {
    super(facts);
    this.route = route;
    this.params = params;
    this.upstreamPath = upstreamPath;
    this.target = undefined;
    this.attempts = 0;
    this.headAt = 0;
    this.upstream = undefined;
    this.bodyStream = undefined;
    this.#upstreamHeaders = undefined;
  }

  override isExchange(): this is Exchange {
    return true;
  }

  /**
   * Sets a header field of the upstream request, instead of whatever the client sent under that name.
   *
   * @param name in lower case
   */
  setUpstreamHeader(name: string, value: string): void {
    this.#upstreamHeaders ??= new Map();
    this.#upstreamHeaders.set(name, value);
  }

  /**
   * Keeps a header field of the client from the upstream.
   *
   * @param name in lower case
   */
  removeUpstreamHeader(name: string): void {
    this.#upstreamHeaders ??= new Map();
    this.#upstreamHeaders.set(name, undefined);
  }

  /** The edits so far: name in lower case to value, or to `undefined` for a removed field. */
  get upstreamHeaders(): ReadonlyMap<string, string | undefined> | undefined {
    return this.#upstreamHeaders;
  }
}
