import type { ServerResponse } from 'node:http';

/** RFC 9113 section 7. */
const NGHTTP2_INTERNAL_ERROR = 2;

/**
 * The body cannot be completed, so the connection (in HTTP/2 the stream) ends without the sign of a complete
 * message: a truncated body must not look whole.
 */
export function breakOff(res: ServerResponse, error: Error): void {
  if (res.writableFinished) return;
  if (res.socket === null || res.req.httpVersionMajor < 2) res.destroy(error);
  else if ('stream' in res && isHttp2Stream(res.stream)) res.stream.close(NGHTTP2_INTERNAL_ERROR);
}

function isHttp2Stream(stream: unknown): stream is { close(code: number): void } {
  return typeof stream === 'object' && stream !== null && 'close' in stream;
}
