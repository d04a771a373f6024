import { request } from 'undici';

/** Gets the text behind a URL, or rejects. */
export type FetchText = (url: string) => Promise<string>;

/** Limits of a fetch. */
export interface FetchLimits {
  /** Milliseconds for the whole answer. */
  readonly timeout: number;
  /** Most bytes of the answer. */
  readonly maxBytes: number;
}

/** Fetches over HTTP with GET. Follows no redirects: the address is the one that the configuration names. */
export function httpFetcher({ timeout, maxBytes }: FetchLimits): FetchText {
  return async (url) => {
    const { statusCode, body } = await request(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.timeout(timeout),
      reset: true,
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new Error(`The key server answered with status ${statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`The key server answered with more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  };
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Checks where keys are fetched from.
 *
 * @throws Error for anything but https, unless it is on this machine or `allowInsecure` is set; for credentials in it
 */
export function checkKeyServerUrl(written: string, allowInsecure: boolean): void {
  if (!URL.canParse(written)) throw new Error('jwks: the url is not valid');
  const url = new URL(written);
  if (url.username !== '' || url.password !== '') throw new Error('jwks: the url must not hold credentials');
  if (url.protocol === 'https:') return;
  if (url.protocol === 'http:' && (allowInsecure || LOOPBACK.test(url.hostname))) return;
  throw new Error(
    `jwks: '${url.origin}' must be https, or anybody on the way could replace the keys; allowInsecure: true lets http pass`,
  );
}
