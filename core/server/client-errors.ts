import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { type ErrorCode, GatewayError, isGatewayError } from '../errors.js';
import { errorText } from './error-response.js';

/** What Node's parser found wrong, as the codes of its errors. */
interface ParserError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

/** What came by a connection and could not be understood. */
export interface ClientError {
  readonly error: ParserError;
  readonly socket: Socket;
  /** The latest response on the connection, if there was one. */
  readonly response: ServerResponse | undefined;
  readonly requestId: string;
}

/**
 * Answers what never became a request: bytes that are no HTTP, heads that are too large or too slow. The requirements'
 * error format, straight onto the socket, which is closed after it.
 */
export function answerClientError({ error, socket, response, requestId }: ClientError, clock: Clock): void {
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  if (response !== undefined && !response.writableFinished && !mayStillAnswer(socket, response)) {
    endWithResponse(socket, response);
    return;
  }
  const told = isGatewayError(error) ? error : new GatewayError(codeOf(error));
  const report = { error: told, requestId, now: clock.now(), problemJson: false };
  const { status, contentType, body } = errorText(report);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n` +
      `Content-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Request-Id: ${requestId}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
  // What the client still sends is not read: give the answer a moment to arrive, then drop the connection.
  clock.setTimeout(() => socket.destroy(), 500);
}

/** Whether the bytes belong to the request that is being handled, and nothing was said to it yet. */
function mayStillAnswer(socket: Socket, response: ServerResponse): boolean {
  return !response.req.complete && !response.headersSent && response.socket === socket;
}

/**
 * What cannot be served stands behind a request that is being answered: a second answer would be taken for that request's.
 * The connection ends with the response under way.
 */
export function endWithResponse(socket: Socket, response: ServerResponse): void {
  // Node.js has let go of the socket where it saw an upgrade or CONNECT: nobody else hears of these any more.
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => response.emit('drain'));
  if (response.req.complete) {
    // They are none of this request's: it gets its answer.
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.destroySoon());
  } else {
    socket.destroySoon();
  }
}

function codeOf({ code, rawPacket }: ParserError): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') {
    // Without an end of line in it, all that was too large is the request line.
    return rawPacket !== undefined && !rawPacket.includes(0x0a) ? 'URI_TOO_LONG' : 'HEADERS_TOO_LARGE';
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'REQUEST_TIMEOUT';
  if (code === 'HPE_INVALID_VERSION') return 'HTTP_VERSION_NOT_SUPPORTED';
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'PAYLOAD_TOO_LARGE';
  return 'BAD_REQUEST';
}
