import type { Codec, DeflateSession } from './codec.js';

/** The client's side of permessage-deflate on one connection (RFC 7692). */
export class Compression {
  readonly #session: DeflateSession;

  /** @param options of npm's permessage-deflate */
  constructor(codec: Codec, options: object) {
    this.#session = codec.deflateSession(options);
  }

  /** What to put into `Sec-WebSocket-Extensions`. */
  get offer(): string {
    const params = Object.entries(this.#session.generateOffer());
    const written = params.map(([key, value]) => (value === true ? key : `${key}=${value}`));
    return ['permessage-deflate', ...written].join('; ');
  }

  /**
   * Takes what the server agreed to.
   *
   * @returns its parameters, in order
   * @throws Error when that does not fit the offer
   */
  agree(agreed: string): string {
    const [name, ...params] = agreed.split(';').map((each) => each.trim());
    const values = Object.fromEntries(
      params.map((each) => {
        const [key = '', value] = each.split('=');
        return [key, value === undefined ? true : Number(value.replaceAll('"', ''))] as const;
      }),
    );
    if (name !== 'permessage-deflate' || !this.#session.activate(values)) {
      throw new Error(`The server agreed to an extension that was not offered: ${agreed}`);
    }
    return params.sort().join(' ');
  }

  deflated(data: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#session.processOutgoingMessage({ rsv1: false, data }, (error, message) =>
        error === null ? resolve(message.data) : reject(error),
      );
    });
  }

  inflated(data: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#session.processIncomingMessage({ rsv1: true, data }, (error, message) =>
        error === null ? resolve(message.data) : reject(error),
      );
    });
  }

  close(): void {
    this.#session.close();
  }
}
