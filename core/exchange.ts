import type { IncomingMessage, ServerResponse } from 'node:http';
import { GatewayError } from './errors.js';
import type { Consumer, Route } from './plugin.js';
import type { BodyStream } from './proxy/body-stream.js';
import { bodyReaderOf, declaredLength, tighter } from './proxy/buffered-body.js';
import type { Peer } from './proxy/peers.js';
import type { UpstreamResponse } from './proxy/upstream-response.js';
import type { WholeBody } from './proxy/whole-body.js';
import type { Service } from './services/service.js';
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
  /** The host in lower case, without port and final dot; empty where an HTTP/1.0 client named none. */
  readonly hostname: string;
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
 * What plugins decided on a request, for the access log, metrics and whoever asks. The plugin that decides declares its
 * key by merging; keys are snake_case, values short texts of a bounded set.
 */
// biome-ignore lint/suspicious/noEmptyInterface: plugins add to it.
export interface Decisions {}

const NONE: readonly (() => void)[] = [];
const UNDECIDED: Readonly<Partial<Decisions>> = Object.freeze({});

/**
 * One request to the gateway and its response: `ctx.gateway` in admin routes and endpoints. Requests that are
 * forwarded have an {@link Exchange}.
 */
export class GatewayRequest implements RequestFacts {
  readonly #facts: RequestFacts;
  /** Who calls; set by an authentication plugin. */
  consumer: Consumer | undefined;
  /** The code of the error table that the request was answered with, if it was. */
  errorCode: string | undefined;
  /** Where the body of the client's response comes from; `none` until there is one. */
  bodySource: 'none' | 'upstream' | 'plugin';
  /** Whether it is in the statistics, once it is over: requests that the gateway's own routes answer are not. */
  counted: boolean;
  #finishers: (() => void)[] | undefined;
  #decisions: Partial<Decisions> | undefined;

  constructor(facts: RequestFacts) {
    this.#facts = facts;
    this.consumer = undefined;
    this.errorCode = undefined;
    this.bodySource = 'none';
    this.counted = false;
    this.#finishers = undefined;
    this.#decisions = undefined;
  }

  get req(): IncomingMessage {
    return this.#facts.req;
  }

  get res(): ServerResponse {
    return this.#facts.res;
  }

  get kind(): 'http' | 'upgrade' {
    return this.#facts.kind;
  }

  get requestId(): string {
    return this.#facts.requestId;
  }

  get startedAt(): number {
    return this.#facts.startedAt;
  }

  get peer(): Peer {
    return this.#facts.peer;
  }

  get clientAddress(): string {
    return this.#facts.clientAddress;
  }

  get scheme(): string {
    return this.#facts.scheme;
  }

  get host(): string {
    return this.#facts.host;
  }

  get hostname(): string {
    return this.#facts.hostname;
  }

  get path(): string {
    return this.#facts.path;
  }

  get query(): string {
    return this.#facts.query;
  }

  get hasBody(): boolean {
    return this.#facts.hasBody;
  }

  get expectsContinue(): boolean {
    return this.#facts.expectsContinue;
  }

  /** Whether the request is one that a route forwards. */
  isExchange(): this is Exchange {
    return false;
  }

  /** Notes a plugin's decision; a later one of the same name takes its place. */
  decide<Name extends keyof Decisions>(name: Name, decision: Decisions[Name]): void {
    this.#decisions ??= {};
    this.#decisions[name] = decision;
  }

  /** The decisions so far. */
  get decisions(): Readonly<Partial<Decisions>> {
    return this.#decisions ?? UNDECIDED;
  }

  /** Calls `callback` once when the response has been written in full or the connection is gone. */
  onFinished(callback: () => void): void {
    this.#finishers ??= [];
    this.#finishers.push(callback);
  }

  /** For the kernel, which calls them: the {@link onFinished} callbacks, once. */
  takeFinishers(): readonly (() => void)[] {
    const finishers = this.#finishers;
    if (finishers === undefined) return NONE;
    this.#finishers = undefined;
    return finishers;
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
  /** The service that the request is for: the route's, unless a plugin leads it to another (canary, fallback). */
  service: Service;
  /** Path parameters of the matched route, still percent-encoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The path and query of the upstream request. */
  upstreamPath: string;
  /** The target of the latest attempt. */
  target: Target | undefined;
  /** How many times an upstream was asked. */
  attempts: number;
  /** The latest upstream response under way, from the moment the request is sent. */
  upstream: UpstreamResponse | undefined;
  /** The upstream's body as a stream, once a plugin has asked for `ctx.body`. */
  bodyStream: BodyStream | undefined;
  /** What `ctx.body` is where a response that was kept answers; undefined once a plugin has set another. */
  storedBody: WholeBody | undefined;
  /** The request body in full, once a plugin has read or replaced it; the upstream gets these bytes. */
  body: Buffer | undefined;
  /** Most bytes that a streamed request body may have, or 0; see {@link limitBody}. */
  bodyLimit: number;
  #reading: Promise<Buffer> | undefined;
  #upstreamHeaders: Map<string, string | undefined> | undefined;

  constructor(
    facts: RequestFacts,
    route: Route,
    params: Readonly<Record<string, string>>,
    upstreamPath: string,
  ) {
    super(facts);
    this.route = route;
    this.service = route.service;
    this.params = params;
    this.upstreamPath = upstreamPath;
    this.target = undefined;
    this.attempts = 0;
    this.upstream = undefined;
    this.bodyStream = undefined;
    this.storedBody = undefined;
    this.body = undefined;
    this.bodyLimit = 0;
    this.#reading = undefined;
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

  /**
   * The request body in full. It is read from the client once, however often it is asked for, and the upstream gets
   * these very bytes, with their length. Empty where the request has no body.
   *
   * @param limit most bytes that it may have, or 0 for the gateway's own limit only; nothing is read of a body that
   *   is declared to be larger
   * @throws GatewayError PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT or CLIENT_CLOSED_REQUEST
   */
  async readBody(limit: number): Promise<Buffer> {
    if (this.body === undefined) {
      if (!this.hasBody) return Buffer.alloc(0);
      this.#reading ??= bodyReaderOf(this.route).read(this, limit);
      this.body = await this.#reading;
    }
    if (limit !== 0 && this.body.length > limit) throw new GatewayError('PAYLOAD_TOO_LARGE');
    return this.body;
  }

  /**
   * Sends the upstream other bytes than the client's. Fields that vouch for the client's bytes (RFC 9530, RFC 1864)
   * are kept from it; those that describe them, such as `Content-Encoding`, are the caller's to set.
   *
   * @throws Error when the client's own body has not been read: it would be left on the connection
   */
  replaceBody(body: Buffer): void {
    if (this.hasBody && this.body === undefined) throw new Error('Read the body before you replace it');
    this.body = body;
    for (const name of DIGESTS) this.removeUpstreamHeader(name);
  }

  /**
   * Ends the request with PAYLOAD_TOO_LARGE as soon as its body has more bytes, for plugins that let it stream.
   *
   * @param limit in bytes, from 1; of several limits the smallest holds
   * @throws GatewayError PAYLOAD_TOO_LARGE at once where the body is declared to be larger
   */
  limitBody(limit: number): void {
    this.bodyLimit = tighter(this.bodyLimit, limit);
    if (declaredLength(this) > this.bodyLimit) throw new GatewayError('PAYLOAD_TOO_LARGE');
  }
}

const DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5'];
