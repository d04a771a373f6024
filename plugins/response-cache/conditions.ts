import type { IncomingHttpHeaders } from 'node:http';
import type { Exchange } from '../../core/index.js';
import type { StoredResponse } from './stored-response.js';

/** Fields that ask for less than the whole response. */
const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range', 'range'];

/** Makes the request conditional on the stored response (RFC 9111 section 4.3.1). @returns whether it can be */
export function setConditions(exchange: Exchange, { head }: StoredResponse): boolean {
  const { etag, lastModified } = head;
  if (etag === undefined && lastModified === undefined) return false;
  clearConditions(exchange);
  if (etag !== undefined) exchange.setUpstreamHeader('if-none-match', etag);
  if (lastModified !== undefined) exchange.setUpstreamHeader('if-modified-since', lastModified);
  return true;
}

/** Asks for the whole response, whatever the client asked for. */
export function clearConditions(exchange: Exchange): void {
  for (const name of CONDITIONS) exchange.removeUpstreamHeader(name);
}

/** Whether a client asks for the whole response. */
export function wantsWhole(headers: IncomingHttpHeaders): boolean {
  return (
    headers['if-none-match'] === undefined &&
    headers['if-modified-since'] === undefined &&
    headers['if-range'] === undefined &&
    headers.range === undefined
  );
}

/** Whether a request has preconditions that only the origin can evaluate (RFC 9111 section 4.3.2). */
export function isForOrigin(headers: IncomingHttpHeaders): boolean {
  return headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined;
}
