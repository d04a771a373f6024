import { ServerResponse, validateHeaderValue } from 'node:http';
import { Exchange } from '../exchange.js';
import type { GatewayContext } from '../plugin.js';
import type { WholeBody } from '../proxy/whole-body.js';
import { GatewayResponse } from './gateway-response.js';
import type { KeptHead } from './response-head.js';
import { appendAll } from './writer.js';

/** A response as a plugin keeps it: ready to be sent again. */
export interface StoredAnswer {
  readonly status: number;
  /** Empty for the standard one. */
  readonly statusText: string;
  /** The fields that were kept, `Content-Length` among them where there is a body. */
  readonly head: KeptHead;
  /** What the gateway says besides, names and values in turn, all well-formed; belongs to the response afterwards. */
  readonly own: string[];
  /** Undefined where there is none to send: 204, 304, or to HEAD. */
  readonly body: WholeBody | undefined;
}

/** What {@link answerStored} needs of Koa's response beside its public face, to spare `ctx.body =` its guesses. */
interface KoaResponse {
  _body: unknown;
  _explicitStatus: boolean;
}

/**
 * Answers with a response that was kept, byte for byte: nothing is guessed from the body, neither type nor length, and
 * `ctx.body` is the same Buffer each time. What plugins have set wins over fields of the same name, as it does over an
 * upstream's.
 */
export function answerStored(ctx: GatewayContext, answer: StoredAnswer): void {
  const { res, gateway, response } = ctx;
  res.statusCode = answer.status;
  if (res.req.httpVersionMajor === 1) res.statusMessage = answer.statusText;
  const koa: GatewayContext['response'] & Partial<KoaResponse> = response;
  koa._body = answer.body ?? null;
  koa._explicitStatus = true;
  gateway.bodySource = 'plugin';
  gateway.storedBody = answer.body;
  if (res instanceof GatewayResponse) {
    res.adoptKept(answer.head, answer.own);
    return;
  }
  const kept = answer.head.fields.concat(answer.own);
  // The HTTP/2 side of Node.js keeps a Date that it is told to remove; see forgetReceived.
  const date = kept.findIndex((field, at) => at % 2 === 0 && field.toLowerCase() === 'date');
  const fields = date === -1 ? kept : kept.toSpliced(date, 2);
  if (date !== -1) res.setHeader('Date', kept[date + 1] ?? '');
  appendAll(res, fields);
}

/**
 * The header fields that a response has so far, names and values in turn; to be read at once, since it may change.
 *
 * @throws TypeError over HTTP/2, for a value that HTTP/1.1 would not have taken either
 */
export function fieldsOf(res: ServerResponse): readonly string[] {
  if (res instanceof GatewayResponse) return res.fields;
  const fields: string[] = [];
  for (const [name, value] of Object.entries(res.getHeaders())) {
    if (value === undefined) continue;
    for (const each of [value].flat()) {
      const text = String(each);
      validateHeaderValue(name, text);
      fields.push(name, text);
    }
  }
  return fields;
}

/** Sets fields of the gateway's own on a response, well-formed ones; those that add up come last. */
export function putFields(res: ServerResponse, fields: readonly string[]): void {
  if (res instanceof GatewayResponse) {
    res.put(fields);
    return;
  }
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name === 'Cache-Status') appendAll(res, [name, fields[i + 1] ?? '']);
    else res.setHeader(name, fields[i + 1] ?? '');
  }
}

/** Forgets a response that was received, for another answer in its place: back to `fields`, and the rest unread. */
export function forgetReceived({ gateway, res }: GatewayContext, fields: readonly string[]): void {
  gateway.upstream?.abort(new Error('Another response was sent in its place'));
  gateway.bodySource = 'none';
  if (res instanceof GatewayResponse) {
    res.restore(fields.slice());
    return;
  }
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  appendAll(res, fields);
}

/**
 * A context for a request of the gateway's own: the same question to the same service, for which no client waits. What
 * plugins write to its response goes nowhere; the upstream's is in `gateway.upstream`, whose body must be attached to.
 */
export function backgroundContext(ctx: GatewayContext): GatewayContext {
  const { gateway } = ctx;
  const { req } = gateway;
  const res = new ServerResponse(req);
  const facts = {
    req,
    res,
    kind: gateway.kind,
    requestId: gateway.requestId,
    startedAt: gateway.startedAt,
    peer: gateway.peer,
    clientAddress: gateway.clientAddress,
    scheme: gateway.scheme,
    host: gateway.host,
    hostname: gateway.hostname,
    path: gateway.path,
    query: gateway.query,
    hasBody: false,
    expectsContinue: false,
  };
  const exchange = new Exchange(facts, gateway.route, gateway.params, gateway.upstreamPath);
  exchange.service = gateway.service;
  exchange.consumer = gateway.consumer;
  for (const [name, value] of gateway.upstreamHeaders ?? []) {
    if (value === undefined) exchange.removeUpstreamHeader(name);
    else exchange.setUpstreamHeader(name, value);
  }
  const background: GatewayContext = Object.assign(ctx.app.createContext(req, res), { gateway: exchange });
  background.state = { ...ctx.state };
  return background;
}
