import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Clock } from '../clock.js';
import { GatewayError } from '../errors.js';
import { Exchange } from '../exchange.js';
import type { EndpointContext, GatewayContext } from '../plugin.js';
import { latin1 } from '../proxy/latin1.js';
import { upstreamError } from '../proxy/upstream-errors.js';
import type { BodySink, UpstreamResponse } from '../proxy/upstream-response.js';
import type { WholeBody } from '../proxy/whole-body.js';
import { breakOff } from './break-off.js';
import { GatewayResponse } from './gateway-response.js';
import { BODILESS } from './response-head.js';

/** Bodies up to this many bytes that are complete go out with their head in one string, which is one system call. */
const MOST_IN_ONE_WRITE = 16 * 1024;

/** Puts upstream heads into responses. */
export class HeadReceiver {
  readonly #clock: Clock;
  #at = -1;
  #timestamp = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes the upstream's head the response's, with the gateway's own fields; the body is there from now on. */
  readonly receive = (exchange: Exchange): void => {
    const { upstream, req, res } = exchange;
    // A plugin's attempt wrapper may have answered instead of the upstream.
    if (upstream === undefined || upstream.status === 0) return;
    res.statusCode = upstream.status;
    if (upstream.statusText !== '' && req.httpVersionMajor === 1) res.statusMessage = upstream.statusText;
    const fields = upstream.headers;
    fields.push(
      'X-Gateway-Service',
      exchange.service.name,
      'X-Gateway-Timestamp',
      this.#now(),
      'X-Request-Id',
      exchange.requestId,
    );
    // The rest of a body that is still coming in would be taken for the next request.
    if (exchange.hasBody && !req.complete) res.shouldKeepAlive = false;
    if (res instanceof GatewayResponse) res.adopt(fields);
    else appendAll(res, fields);
    exchange.bodySource = 'upstream';
  };

  /** One text per millisecond: under load many responses share it. */
  #now(): string {
    const now = this.#clock.now();
    if (now !== this.#at) {
      this.#at = now;
      this.#timestamp = new Date(now).toISOString();
    }
    return this.#timestamp;
  }
}

/** Adds header fields to a response that is none of the gateway's own kind (HTTP/2). */
export function appendAll(res: ServerResponse, fields: readonly string[]): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const before = res.getHeader(name);
    const value = fields[i + 1] ?? '';
    res.setHeader(name, before === undefined ? value : [...[before].flat().map(String), value]);
  }
}

/**
 * Writes the response that the onion left behind.
 *
 * @throws GatewayError NOT_FOUND when nobody answered
 */
export function writeResponse(ctx: GatewayContext | EndpointContext): void {
  const { gateway, res } = ctx;
  if (ctx.respond === false || res.writableEnded || res.destroyed) return;
  const storedBody = gateway.isExchange() ? gateway.storedBody : undefined;
  if (gateway.isExchange() && gateway.bodySource === 'upstream' && !gateway.bodyStream?.attached) {
    writeUpstream(gateway);
  } else if (storedBody !== undefined && !res.headersSent && !BODILESS.has(res.statusCode)) {
    writeStored(res, storedBody);
  } else if (gateway.bodySource === 'none' && res.statusCode === 404) {
    throw new GatewayError('NOT_FOUND');
  } else {
    // What a plugin answers by itself has not been given one with an upstream's head.
    if (!res.headersSent && !res.hasHeader('X-Request-Id')) res.setHeader('X-Request-Id', gateway.requestId);
    writePluginBody(ctx);
  }
}

/** Passes the upstream's body on, chunk by chunk; no stream in between. */
export function writeUpstream({ upstream, req, res }: Exchange): void {
  if (upstream === undefined) return;
  if (upstream.error) {
    breakOff(res, upstream.error);
    return;
  }
  const whole = upstream.wholeText(MOST_IN_ONE_WRITE);
  if (whole === undefined) upstream.attach(new ResponseSink(upstream, res));
  else if (whole === '' || req.method === 'HEAD') res.end();
  else endWith(res, whole);
}

/** A response that was kept: with all that is to be said of it, its request id too. */
function writeStored(res: ServerResponse, body: WholeBody): void {
  if (body.length > MOST_IN_ONE_WRITE) res.end(body.bytes);
  else endWith(res, body.text);
}

/** @param body each byte one character */
function endWith(res: ServerResponse, body: string): void {
  if (res instanceof GatewayResponse) res.endWith(body);
  else res.end(body, 'latin1');
}

/** Writes an upstream's body to a client, with back pressure both ways. */
class ResponseSink implements BodySink {
  readonly #res: ServerResponse;

  constructor(upstream: UpstreamResponse, res: ServerResponse) {
    this.#res = res;
    res.on('drain', () => upstream.resume());
    // The head goes out at once: a stream of events may have nothing more to say for a long time.
    res.writeHead(res.statusCode);
    if (upstream.waitingBytes === 0 && !upstream.complete) res.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    return this.#res.write(chunk);
  }

  end(trailers: string[] | undefined): void {
    const { httpVersionMajor } = this.#res.req;
    const mayFollow = this.#res.chunkedEncoding || httpVersionMajor >= 2;
    if (trailers !== undefined && mayFollow) this.#res.addTrailers(pairs(trailers));
    this.#res.end();
  }

  fail(error: Error): void {
    breakOff(this.#res, error);
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) result.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return result;
}

/** Writes a body that a plugin set, as Koa would. */
function writePluginBody(ctx: GatewayContext | EndpointContext): void {
  const { res, response } = ctx;
  if (BODILESS.has(res.statusCode)) {
    ctx.remove('Content-Type');
    ctx.remove('Content-Length');
    ctx.remove('Transfer-Encoding');
    res.end();
    return;
  }
  const body: unknown = response.body;
  if (res.req.method === 'HEAD') {
    const { length } = ctx.response;
    if (!res.headersSent && length !== undefined && !res.hasHeader('Content-Length')) ctx.length = length;
    res.end();
    if (body instanceof Readable) body.destroy();
  } else if (body === null || body === undefined) {
    if (!res.headersSent) ctx.length = 0;
    res.end();
  } else if (Buffer.isBuffer(body) && body.length <= MOST_IN_ONE_WRITE) {
    endWith(res, latin1(body));
  } else if (typeof body === 'string' || Buffer.isBuffer(body)) {
    res.end(body);
  } else if (body instanceof Readable) {
    watchSource(ctx, body);
    pipe(ctx, body);
  } else if (body instanceof Blob) {
    pipe(ctx, Readable.from(body.stream()));
  } else if (body instanceof ReadableStream) {
    pipe(ctx, Readable.from(body));
  } else if (body instanceof Response) {
    pipe(ctx, Readable.from(body.body ?? []));
  } else {
    const json = JSON.stringify(body);
    if (!res.headersSent) ctx.length = Buffer.byteLength(json);
    res.end(json);
  }
}

/** A body made from the upstream's, by a compressor for example, never ends by itself when that one breaks off. */
function watchSource(ctx: GatewayContext | EndpointContext, body: Readable): void {
  const { gateway } = ctx;
  const source = gateway instanceof Exchange ? gateway.bodyStream : undefined;
  if (source === undefined || source === body) return;
  if (source.errored) throw upstreamError(source.errored);
  source.once('error', (error) => ctx.onerror(upstreamError(error)));
}

function pipe(ctx: GatewayContext | EndpointContext, body: Readable): void {
  const { res } = ctx;
  body.on('error', (error) => {
    // Koa listens too, and may have answered already.
    if (!res.headersSent) ctx.onerror(error);
    else if (!res.writableEnded) breakOff(res, error);
  });
  res.once('close', () => body.destroy());
  body.pipe(res);
}
