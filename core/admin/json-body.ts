import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.js';

/** Most bytes of a request body to the gateway itself. */
const MOST_BYTES = 1024 * 1024;

/**
 * Reads the JSON body of a request to the gateway itself.
 *
 * @throws GatewayError UNSUPPORTED_MEDIA_TYPE for anything but JSON, PAYLOAD_TOO_LARGE above 1 MiB, BAD_REQUEST for
 *   malformed JSON or anything but an object
 */
export async function readJsonBody(req: IncomingMessage): Promise<Record<string, unknown>> {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new GatewayError('UNSUPPORTED_MEDIA_TYPE', { message: 'Expected a body of type application/json' });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new GatewayError('PAYLOAD_TOO_LARGE');
    chunks.push(chunk);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new GatewayError('BAD_REQUEST', { message: 'The body is not valid JSON', cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new GatewayError('BAD_REQUEST', { message: 'Expected a JSON object as the body' });
  }
  return { ...body };
}
