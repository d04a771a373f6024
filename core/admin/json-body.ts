import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.js';

/** Most bytes of a request body to the gateway itself. */
const MOST_BYTES = 1024 * 1024;
/** For such a body to arrive, in milliseconds; it is small, and a client may not hold the connection with it. */
const MOST_TIME = 30_000;

/**
 * Reads the JSON body of a request to the gateway itself.
 *
 * @throws GatewayError UNSUPPORTED_MEDIA_TYPE for anything but JSON, PAYLOAD_TOO_LARGE above 1 MiB, BAD_REQUEST for
 *   malformed JSON or anything but an object, REQUEST_TIMEOUT after 30 s, CLIENT_CLOSED_REQUEST when the client goes away
 */
export async function readJsonBody(req: IncomingMessage): Promise<Record<string, unknown>> {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new GatewayError('UNSUPPORTED_MEDIA_TYPE', { message: 'Expected a body of type application/json' });
  }
  const text = (await inTime(read(req))).toString('utf8');
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new GatewayError('BAD_REQUEST', { message: 'The body is not valid JSON', cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new GatewayError('BAD_REQUEST', { message: 'Expected a JSON object as the body' });
  }
  return { ...body };
}

async function inTime(reading: Promise<Buffer>): Promise<Buffer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GatewayError('REQUEST_TIMEOUT')), MOST_TIME);
  });
  // What is read too late, or never, is of no interest to anybody.
  reading.catch(() => {});
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function read(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Leaving the loop early would destroy the request otherwise, and with it the connection for the answer.
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw new GatewayError('PAYLOAD_TOO_LARGE');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('CLIENT_CLOSED_REQUEST', { cause: error });
  }
  return Buffer.concat(chunks);
}
