import type { Socket } from 'node:net';
import type { GatewayRequest } from '../../core/index.js';

/** Where bytes are added up. */
interface ByteCounts {
  receivedBytes: number;
  sentBytes: number;
}

/** Of a connection, how much of it is counted already. */
const RECEIVED = Symbol('received');
const SENT = Symbol('sent');

interface MeteredSocket extends Socket {
  [RECEIVED]?: number;
  [SENT]?: number;
}

/**
 * Counts what has passed the connection of a request since the request before. On HTTP/2, where requests share one and
 * Node.js does not tell their parts, the bodies are counted, as far as their lengths are known.
 *
 * @param counts undefined for a request that is not to be counted
 */
export function passConnection(request: GatewayRequest, counts: ByteCounts | undefined): void {
  const { req } = request;
  if (req.httpVersionMajor === 1) passSocket(req.socket, counts);
  else if (counts !== undefined) passBodies(request, counts);
}

function passSocket(socket: MeteredSocket, counts: ByteCounts | undefined): void {
  const { bytesRead, bytesWritten } = socket;
  if (counts !== undefined) {
    counts.receivedBytes += bytesRead - (socket[RECEIVED] ?? 0);
    counts.sentBytes += bytesWritten - (socket[SENT] ?? 0);
  }
  socket[RECEIVED] = bytesRead;
  socket[SENT] = bytesWritten;
}

function passBodies(request: GatewayRequest, counts: ByteCounts): void {
  const { req, res } = request;
  const exchange = request.isExchange() ? request : undefined;
  counts.receivedBytes += exchange?.body?.length ?? lengthOf(req.headers['content-length']);
  const passedOn = request.bodySource === 'upstream' && exchange?.bodyStream === undefined;
  counts.sentBytes +=
    (passedOn ? exchange?.upstream?.bytes : undefined) ?? lengthOf(res.getHeader('content-length'));
}

function lengthOf(field: unknown): number {
  const length = Number(field ?? 0);
  return Number.isFinite(length) ? length : 0;
}
