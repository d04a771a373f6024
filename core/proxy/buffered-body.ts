import { GatewayError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { RequestBody } from './request-body.js';
import type { SlowBodyGuard } from './slow-body-guard.js';

/** The limits of a generation on request bodies. */
export interface BodyReaderLimits {
  /** Largest body in bytes, or 0 for no limit. */
  readonly maxBytes: number;
  readonly slowBodies: SlowBodyGuard;
}

/** Opens the bodies of requests: as streams for the upstream, or in full for a plugin that asks for one. */
export class BodyReader {
  readonly #limits: BodyReaderLimits;

  constructor(limits: BodyReaderLimits) {
    this.#limits = limits;
  }

  /** The body of a request as a stream, held to the limits of the gateway and of the exchange. */
  open(exchange: Exchange, limit = exchange.bodyLimit): RequestBody {
    return new RequestBody(exchange.req, {
      maxBytes: tighter(limit, this.#limits.maxBytes),
      guard: this.#limits.slowBodies,
      sendContinue: exchange.expectsContinue ? () => exchange.res.writeContinue() : undefined,
    });
  }

  /**
   * Takes a body that is there in full already, as small ones are by the time the head has been handled: a Buffer costs
   * far less to forward than a stream. Does nothing for any other body.
   */
  takeArrived(exchange: Exchange): void {
    const { req } = exchange;
    if (req.readableFlowing !== null || req.readableLength === 0) return;
    if (req.readableLength !== declaredLength(exchange)) return;
    const body: unknown = req.read();
    if (Buffer.isBuffer(body)) exchange.body = body;
    // On to the end of the message, which the connection waits for.
    req.resume();
  }

  /**
   * The whole body, which is taken off the connection by it.
   *
   * @param limit most bytes, or 0 for the gateway's own limit only; nothing is read of a body that is declared to be
   *   larger
   * @throws GatewayError PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT or CLIENT_CLOSED_REQUEST
   */
  async read(exchange: Exchange, limit: number): Promise<Buffer> {
    const most = tighter(tighter(limit, this.#limits.maxBytes), exchange.bodyLimit);
    if (most !== 0 && declaredLength(exchange) > most) throw new GatewayError('PAYLOAD_TOO_LARGE');
    const stream = this.open(exchange, most);
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const [first] = chunks;
        resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
      });
      stream.on('error', reject);
    });
  }
}

/** The bytes that the head of a request announces for its body; 0 where it announces none. */
export function declaredLength(exchange: Exchange): number {
  return Number(exchange.req.headers['content-length'] ?? 0);
}

/** The smaller of two limits, where 0 stands for none. */
export function tighter(one: number, other: number): number {
  if (one === 0) return other;
  return other === 0 ? one : Math.min(one, other);
}

const READER = Symbol('bodyReader');

/**
 * Gives a route the reader of its generation. It is kept with the route, so that it costs a request nothing that
 * nobody reads the body of.
 */
export function provideBodyReader(route: object, reader: BodyReader): void {
  Object.defineProperty(route, READER, { value: reader });
}

/** The reader of a route. */
export function bodyReaderOf(route: object): BodyReader {
  const reader: unknown = READER in route ? route[READER] : undefined;
  if (!(reader instanceof BodyReader)) throw new Error('Bodies can only be read on a compiled route');
  return reader;
}
