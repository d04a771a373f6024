import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.js';
import { GatewayError } from '../errors.js';
import type { RequestFacts } from '../exchange.js';
import type { Generation } from '../generation.js';
import { isRequestId, RequestIds } from '../proxy/request-id.js';
import { hostnameOf } from '../routing/hosts.js';
import { type NormalisedTarget, normaliseTarget, PathError } from '../routing/path.js';
import { readIncomingHead } from './incoming-head.js';

/** The way a request came in. */
export interface Arrival {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly kind: 'http' | 'upgrade';
  /** Whether the client waits for `100 Continue`. */
  readonly expectsContinue: boolean;
}

/** Finds out what a request is about before anything is decided about it. */
export class RequestReader {
  readonly #clock: Clock;
  readonly #requestIds: RequestIds;
  #latestHost = '';
  #latestHostname: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#requestIds = new RequestIds(clock);
  }

  /**
   * Reads the head of a request.
   *
   * @throws GatewayError BAD_REQUEST, PAYLOAD_TOO_LARGE, URI_TOO_LONG, HEADERS_TOO_LARGE, NOT_IMPLEMENTED or
   *   HTTP_VERSION_NOT_SUPPORTED
   */
  read(arrival: Arrival, { settings, peers }: Generation): RequestFacts {
    const { req, res, kind, expectsContinue } = arrival;
    if (req.rawHeaders.length > settings.limits.headerFields * 2) throw new GatewayError('HEADERS_TOO_LARGE');
    const head = readIncomingHead(req);
    if (head.target.length > settings.limits.requestLine) throw new GatewayError('URI_TOO_LONG');
    const hostname = this.#hostname(head.host);
    if (hostname === undefined && (head.host !== '' || req.httpVersion !== '1.0')) {
      throw new GatewayError('BAD_REQUEST', { message: 'The Host field is missing or invalid' });
    }
    if (settings.limits.body !== 0 && head.length > settings.limits.body)
      throw new GatewayError('PAYLOAD_TOO_LARGE');
    const target = originForm(head.target, settings.limits.encodedSlashes === 'pass');
    const peer = peers.of(req.socket);
    return {
      req,
      res,
      kind,
      requestId: this.#requestId(req, peer.trusted),
      startedAt: this.#clock.monotonic(),
      peer,
      clientAddress: peer.trusted ? peers.clientAddress(peer, header(req, 'x-forwarded-for')) : peer.address,
      scheme: peer.trusted ? forwardedScheme(req, peer.scheme) : peer.scheme,
      host: head.host,
      hostname: hostname ?? '',
      path: target.path,
      query: target.query,
      hasBody: head.hasBody,
      expectsContinue,
    };
  }

  /** What can be said of a request whose head was refused; enough to answer and to log it. */
  readRefused({ req, res, kind }: Arrival, { peers }: Generation): RequestFacts {
    const peer = peers.of(req.socket);
    return {
      req,
      res,
      kind,
      requestId: this.#requestId(req, peer.trusted),
      startedAt: this.#clock.monotonic(),
      peer,
      clientAddress: peer.address,
      scheme: peer.scheme,
      host: '',
      hostname: '',
      path: pathOnly(req.url ?? ''),
      query: '',
      hasBody: !req.complete,
      expectsContinue: false,
    };
  }

  /** An id for what never became a request. */
  requestId(): string {
    return this.#requestIds.next();
  }

  /** Most requests name the same host as the one before. */
  #hostname(host: string): string | undefined {
    if (host !== this.#latestHost) {
      this.#latestHost = host;
      this.#latestHostname = hostnameOf(host);
    }
    return this.#latestHostname;
  }

  #requestId(req: IncomingMessage, trusted: boolean): string {
    const given = trusted ? header(req, 'x-request-id') : undefined;
    return given !== undefined && isRequestId(given) ? given : this.#requestIds.next();
  }
}

function originForm(target: string, passEncodedSlashes: boolean): NormalisedTarget {
  if (target === '*') return { path: '*', query: '' };
  try {
    return normaliseTarget(target, passEncodedSlashes);
  } catch (error) {
    if (error instanceof PathError) throw new GatewayError('BAD_REQUEST', { message: error.message });
    throw error;
  }
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function forwardedScheme(req: IncomingMessage, seen: 'http' | 'https'): string {
  const told = header(req, 'x-forwarded-proto');
  return told === 'http' || told === 'https' ? told : seen;
}

function pathOnly(target: string): string {
  const end = target.search(/[?#]/);
  return end === -1 ? target : target.slice(0, end);
}
