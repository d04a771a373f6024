import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long, in milliseconds, and for how many bytes a client may go on sending a body that nobody wants. */
const MOST_TIME = 1000;
const MOST_BYTES = 1024 * 1024;

/**
 * Ends a response whose request body may not have been read. Closing the connection while the client is still
 * sending would reset it, and the client might never see the answer; so what still comes is read and thrown away for
 * a moment (RFC 9112 section 9.6). The connection is closed in any case: the rest is not to be taken for a request.
 */
export function endWithUnreadBody(res: ServerResponse, body: string): void {
  const { req } = res;
  if (req.complete || !announcesBody(req) || req.httpVersionMajor >= 2 || res.socket === null) {
    res.end(body);
    return;
  }
  res.shouldKeepAlive = false;
  // Whoever waits for '100 Continue' has sent nothing yet, and will not.
  if (req.headers.expect !== undefined && req.readableFlowing === null) {
    res.end(body);
    return;
  }
  res.write(body === '' ? Buffer.alloc(0) : body);
  let bytes = 0;
  const end = () => {
    clearTimeout(timer);
    req.off('data', onData);
    req.off('end', end);
    req.off('close', end);
    res.end();
  };
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) end();
  };
  const timer = setTimeout(end, MOST_TIME);
  req.on('data', onData);
  req.on('end', end);
  req.on('close', end);
  req.resume();
}

/** RFC 9112 section 6.3. Right behind the head, Node.js does not call a request without a body complete yet. */
function announcesBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = headers;
  return coding !== undefined || (length !== undefined && length !== '0');
}
