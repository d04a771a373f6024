import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type ZlibOptions } from 'node:zlib';
import { type Exchange, GatewayError } from '../../core/index.js';
import type { BodyDemand, BodySchema } from './demand.js';
import { type Findings, pointerTo } from './findings.js';
import type { ScanRules } from './json-scan.js';
import { readJson, trimTexts } from './json-text.js';
import { inRange, type MediaType, MediaTypes } from './media-type.js';
import type { RequestValidatorOptions } from './options.js';
import { isPrototypeName, parsePairs, type RequestView } from './request-view.js';
import { changesValues } from './schema-compiler.js';
import { fieldValue } from './schema-demand.js';

/** Up to here all faults are listed, beyond only the first: see {@link CompiledSchema}. */
const MOST_VALUES = 2000;
const MOST_TEXT = 64 * 1024;

type Decode = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>;

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ['x-gzip', promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ['deflate', promisify<Buffer, ZlibOptions, Buffer>(inflate)],
  [
    'br',
    (bytes, { maxOutputLength }) =>
      decompressBrotli(bytes, maxOutputLength === undefined ? {} : { maxOutputLength }),
  ],
]);
const decompressBrotli = promisify<Buffer, { maxOutputLength?: number }, Buffer>(brotliDecompress);

/** Reads, checks and, where the options ask for it, rewrites the bodies of requests. */
export class BodyCheck {
  readonly #options: RequestValidatorOptions;
  readonly #types = new MediaTypes();
  readonly #rules: ScanRules;
  readonly #rewrites: boolean;

  constructor(options: RequestValidatorOptions) {
    this.#options = options;
    this.#rewrites = options.sanitise.trim || changesValues(options.sanitise);
    this.#rules = {
      maxDepth: options.maxDepth,
      duplicateKeys: options.duplicateKeys === 'reject',
      prototypeKeys: true,
      inexactNumbers: this.#rewrites || options.prototypeKeys === 'strip',
    };
  }

  /**
   * Checks the body of a request that has one. What does not have to be looked into streams on, up to the limit.
   *
   * @returns undefined when there is nothing to wait for
   * @throws GatewayError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or BAD_REQUEST, also by the promise
   */
  check(view: RequestView, demands: readonly BodyDemand[], findings: Findings): Promise<void> | undefined {
    const type = this.#mediaType(view);
    const schemas = this.#schemasFor(type, demands);
    view.exchange.limitBody(this.#options.maxBody);
    if (type?.kind !== 'json' && schemas.length === 0) return undefined;
    if (type === undefined || !type.isUtf8) {
      throw new GatewayError('UNSUPPORTED_MEDIA_TYPE', { message: 'The body must be in UTF-8' });
    }
    const decode = this.#decoder(view);
    return this.#read(view.exchange, type, schemas, demands, decode, findings);
  }

  #mediaType(view: RequestView): MediaType | undefined {
    const fields = view.header('content-type');
    // Of several, the service might believe another one than is checked here.
    if (fields.length > 1) throw new GatewayError('BAD_REQUEST', { message: 'More than one Content-Type' });
    const [field] = fields;
    if (field === undefined) return undefined;
    const type = this.#types.read(field);
    if (type === undefined) {
      throw new GatewayError('UNSUPPORTED_MEDIA_TYPE', { message: 'The Content-Type is malformed' });
    }
    return type;
  }

  #schemasFor(type: MediaType | undefined, demands: readonly BodyDemand[]): readonly BodySchema[] {
    const { contentTypes } = this.#options;
    if (contentTypes !== undefined && !(type && contentTypes.some((range) => inRange(type, range)))) {
      throw unsupported(contentTypes);
    }
    const schemas: BodySchema[] = [];
    for (const demand of demands) {
      const schema = demand.schemaFor(type);
      if (schema === undefined) throw unsupported(demand.accepts);
      if (schema !== 'unchecked') schemas.push(schema);
    }
    return schemas;
  }

  /** @returns undefined where the body is not compressed */
  #decoder(view: RequestView): Decode | undefined {
    const coding = view.header('content-encoding').join(',').trim().toLowerCase();
    if (coding === '' || coding === 'identity') return undefined;
    const decode = this.#options.compressed === 'decode' ? DECODERS.get(coding) : undefined;
    if (decode !== undefined) return decode;
    const known = this.#options.compressed === 'decode' ? 'gzip, deflate, br, identity' : 'identity';
    throw new GatewayError('UNSUPPORTED_MEDIA_TYPE', {
      message: 'The content coding of the body is not supported',
      headers: { 'Accept-Encoding': known },
    });
  }

  async #read(
    exchange: Exchange,
    type: MediaType,
    schemas: readonly BodySchema[],
    demands: readonly BodyDemand[],
    decode: Decode | undefined,
    findings: Findings,
  ): Promise<void> {
    const received = await exchange.readBody(this.#options.maxBody);
    if (received.length === 0) {
      findMissing(exchange, demands, findings);
      findings.raise();
      return;
    }
    const bytes = decode === undefined ? received : await this.#decompress(received, decode);
    if (!isUtf8(bytes)) {
      findings.add('body', '', 'expected valid UTF-8', 'encoding');
      findings.raise();
    }
    const text = bytes.toString();
    if (type.kind === 'json') this.#checkJson(exchange, text, schemas, findings);
    else {
      for (const { schema, shape } of schemas) {
        const value = type.kind === 'form' ? this.#formValue(text, shape, findings) : text;
        schema.check({ value }, 'body', '', findings, text.length <= MOST_TEXT);
      }
      findings.raise();
    }
  }

  async #decompress(bytes: Buffer, decode: Decode): Promise<Buffer> {
    try {
      return await decode(bytes, { maxOutputLength: this.#options.maxBody });
    } catch (error) {
      if (error instanceof RangeError) throw new GatewayError('PAYLOAD_TOO_LARGE', { cause: error });
      throw new GatewayError('BAD_REQUEST', { message: 'The body cannot be decompressed', cause: error });
    }
  }

  #checkJson(exchange: Exchange, text: string, schemas: readonly BodySchema[], findings: Findings): void {
    const { prototypeKeys, sanitise } = this.#options;
    const json = readJson(text, this.#rules, prototypeKeys === 'strip', findings);
    if (json === undefined) {
      findings.raise();
      return;
    }
    const isSmall = json.values <= MOST_VALUES && text.length <= MOST_TEXT;
    const holder = { value: sanitise.trim ? trimTexts(json.value) : json.value };
    for (const { schema } of schemas) schema.check(holder, 'body', '', findings, isSmall);
    findings.raise();
    if (!this.#rewrites && !json.wasStripped) return;
    exchange.replaceBody(Buffer.from(JSON.stringify(holder.value)));
    exchange.removeUpstreamHeader('content-encoding');
  }

  #formValue(text: string, shape: BodySchema['shape'], findings: Findings): Record<string, unknown> {
    const texts = new Map<string, string[]>();
    for (const { name, value } of parsePairs(text)) {
      const path = pointerTo('', name);
      if (value === undefined) findings.add('body', path, 'expected percent-encoded UTF-8', 'encoding');
      else if (isPrototypeName(name)) findings.add('body', path, 'expected no such key', 'prototypeKeys');
      else texts.set(name, [...(texts.get(name) ?? []), value]);
    }
    const fields: Record<string, unknown> = Object.create(null);
    for (const [name, list] of texts) fields[name] = fieldValue(name, list, shape);
    return fields;
  }
}

/** Adds that a body is missing, where one is required. */
export function findMissing(exchange: Exchange, demands: readonly BodyDemand[], findings: Findings): void {
  const method = exchange.req.method ?? '';
  if (demands.some((demand) => demand.isRequired(method))) {
    findings.add('body', '', 'expected a body', 'required');
  }
}

function unsupported(accepted: readonly string[]): GatewayError {
  // RFC 9110 section 12.5.1: what a 415 says of the content types that would have been taken.
  return new GatewayError('UNSUPPORTED_MEDIA_TYPE', { headers: { Accept: accepted.join(', ') } });
}
