import { Readable } from 'node:stream';
import { inject, injectable } from 'tsyringe';
import {
  type EndpointContext,
  type EndpointMiddleware,
  type GatewayPlugin,
  OPTIONS,
  putFields,
  type Route,
} from '../../core/index.js';
import { type Coding, codingOf, SUPPORTED_CODINGS } from './codings.js';
import { type Compressor, createCompressor, type Levels } from './compressors.js';
import { createDecompressor } from './decompressor.js';
import { CompressibleTypes } from './eligibility.js';
import { Negotiation } from './negotiation.js';
import { Variants } from './variants.js';

/** Options of the compression. */
export interface CompressOptions {
  readonly codings: readonly Coding[];
  /** Bytes. */
  readonly threshold: number;
  readonly types: readonly string[];
  readonly level: Levels;
  readonly decompress: boolean;
}

declare module '../../core/exchange.js' {
  interface Decisions {
    /** The coding that the gateway applied, or `identity` where it took one off. */
    compression: Coding | 'identity';
  }
}

/** RFC 9110 sections 15.3.5, 15.3.6, 15.3.7 and 15.4.5: no body, or a part whose bytes are counted as they are. */
const LEFT_ALONE = new Set([204, 205, 206, 304]);

/** What Koa writes as JSON. */
const JSON_PROTOTYPES = new Set<unknown>([Object.prototype, Array.prototype, null]);

const VARY = ['Vary', 'Accept-Encoding'];

/** Fields that speak of the bytes before they were changed (RFC 9530, RFC 1864), or offer parts of them. */
const VOID_FIELDS = ['Content-Digest', 'Repr-Digest', 'Digest', 'Content-MD5', 'Accept-Ranges'];

/** Applies content codings on the way out, or takes them off. */
@injectable()
export class Compress implements GatewayPlugin<CompressOptions> {
  readonly #options: CompressOptions;
  readonly #variants = new Variants();

  /** @throws Error for a coding that this Node.js cannot do */
  constructor(@inject(OPTIONS) options: CompressOptions) {
    this.#options = options;
    const lacking = options.codings.find((coding) => !SUPPORTED_CODINGS.includes(coding));
    if (lacking !== undefined) {
      const expected = SUPPORTED_CODINGS.join(', ');
      throw new Error(
        `codings: found ${lacking}, which Node.js ${process.versions.node} cannot do; expected some of ${expected}`,
      );
    }
  }

  endpointMiddleware(): EndpointMiddleware {
    return this.#build(this.#options);
  }

  middleware(_route: Route, options: CompressOptions): EndpointMiddleware {
    return this.#build(options);
  }

  #build(options: CompressOptions): EndpointMiddleware {
    const { codings, threshold, types: further, level, decompress } = options;
    const negotiation = new Negotiation(codings, SUPPORTED_CODINGS);
    const types = new CompressibleTypes(further);
    const compressors = new Map(codings.map((coding) => [coding, createCompressor(coding, level)]));
    return async (ctx, next) => {
      await next();
      if (ctx.res.statusCode === 304) describeUnchanged(ctx);
      if (!isTransformable(ctx)) return;
      const coded = field(ctx, 'Content-Encoding');
      if (coded === undefined) {
        if (!types.has(field(ctx, 'Content-Type') ?? '')) return;
        const length = field(ctx, 'Content-Length');
        if (length !== undefined && Number(length) < threshold) return;
        varyByEncoding(ctx);
        const { best } = negotiation.read(ctx.req.headers['accept-encoding']?.toString());
        const compressor = best === undefined ? undefined : compressors.get(best);
        if (compressor === undefined) return;
        const compressing = this.#compress(ctx, compressor, threshold, length !== undefined);
        if (compressing !== undefined) await compressing;
      } else if (decompress) {
        const coding = codingOf(coded);
        if (coding !== undefined) varyByEncoding(ctx);
        const { takes } = negotiation.read(ctx.req.headers['accept-encoding']?.toString());
        if (coding !== undefined && !takes.has(coding)) takeOff(ctx, coding);
      }
    };
  }

  /** @returns undefined where the compressed form is at hand, as it is for hits of a cache, or none is made */
  #compress(
    ctx: EndpointContext,
    compressor: Compressor,
    threshold: number,
    measured: boolean,
  ): Promise<void> | undefined {
    const body = wholeBody(ctx.body);
    if (body === undefined) return compressStream(ctx, compressor, measured);
    if (body.length < threshold) return undefined;
    const form = this.#variants.of(body, compressor);
    if (!Buffer.isBuffer(form)) return form.then((made) => give(ctx, compressor, body, made));
    give(ctx, compressor, body, form);
    return undefined;
  }
}

async function compressStream(
  ctx: EndpointContext,
  compressor: Compressor,
  measured: boolean,
): Promise<void> {
  const compress = measured ? compressor.measured : compressor.flushed;
  await compress(ctx, done);
  ctx.gateway.decide('compression', compressor.coding);
  describeAnew(ctx);
}

/** Answers with the compressed form of a body, unless that is the body itself. */
function give(ctx: EndpointContext, { coding }: Compressor, body: Buffer, form: Buffer): void {
  if (form === body) return;
  ctx.body = form;
  putFields(ctx.res, ['Content-Encoding', coding]);
  ctx.gateway.decide('compression', coding);
  describeAnew(ctx);
}

/** Whether there is a body that may be changed (RFC 9111 sections 5.2.1.6 and 5.2.2.6 for `no-transform`). */
function isTransformable(ctx: EndpointContext): boolean {
  const { gateway, res } = ctx;
  if (gateway.bodySource === 'none' || LEFT_ALONE.has(res.statusCode) || ctx.method === 'HEAD') return false;
  if (res.headersSent || ctx.respond === false) return false;
  if (field(ctx, 'Content-Range') !== undefined) return false;
  return !forbidsChange(ctx.req.headers['cache-control']) && !forbidsChange(field(ctx, 'Cache-Control'));
}

function forbidsChange(cacheControl: string | undefined): boolean {
  return cacheControl?.toLowerCase().includes('no-transform') ?? false;
}

/** A body that is there in full, as bytes; undefined for a stream. */
function wholeBody(body: unknown): Buffer | undefined {
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  const isPlain =
    typeof body === 'object' && body !== null && JSON_PROTOTYPES.has(Object.getPrototypeOf(body));
  return isPlain ? Buffer.from(JSON.stringify(body)) : undefined;
}

function takeOff(ctx: EndpointContext, coding: Coding): void {
  const decompressor = createDecompressor(coding);
  const { body } = ctx;
  if (body instanceof Readable) ctx.body = body.pipe(decompressor);
  else if (Buffer.isBuffer(body)) ctx.body = decompressor.end(body);
  else return;
  ctx.remove('Content-Encoding');
  ctx.gateway.decide('compression', 'identity');
  describeAnew(ctx);
}

/** Adds to `Vary`; nearly all responses have none, or this one, and need no parsing. */
function varyByEncoding(ctx: EndpointContext): void {
  const names = field(ctx, 'Vary');
  if (names === undefined) putFields(ctx.res, VARY);
  else if (names !== 'Accept-Encoding') ctx.vary('Accept-Encoding');
}

/** Other bytes than before: what vouched for those goes, and the validator is a weak one (RFC 9110 section 8.8.1). */
function describeAnew(ctx: EndpointContext): void {
  for (const name of VOID_FIELDS) ctx.remove(name);
  const tag = field(ctx, 'ETag');
  if (tag?.startsWith('"')) ctx.set('ETag', `W/${tag}`);
}

/** RFC 9110 section 15.4.5: a 304 tells of the form that the client has, which is the coded one where its tag is the weak one. */
function describeUnchanged(ctx: EndpointContext): void {
  const tag = field(ctx, 'ETag');
  if (!tag?.startsWith('"') || !ctx.req.headers['if-none-match']?.includes(`W/${tag}`)) return;
  ctx.set('ETag', `W/${tag}`);
  varyByEncoding(ctx);
}

function field(ctx: EndpointContext, name: string): string | undefined {
  const value = ctx.res.getHeader(name);
  return Array.isArray(value) ? value.join(', ') : value?.toString();
}

async function done(): Promise<void> {}
