import type { Exchange } from '../../core/index.js';

/** RFC 9113 section 7. */
const HTTP2_INTERNAL_ERROR = 2;

/** Breaks the client's connection off without a response: with a TCP reset, in HTTP/2 a reset of the stream. */
export function resetConnection({ req, res }: Exchange): void {
  if (req.httpVersionMajor >= 2) {
    if ('stream' in res && isStream(res.stream)) res.stream.close(HTTP2_INTERNAL_ERROR);
    return;
  }
  req.socket.resetAndDestroy();
  // Nobody must find it open for an answer.
  res.destroy();
}

function isStream(stream: unknown): stream is { close(code: number): void } {
  return typeof stream === 'object' && stream !== null && 'close' in stream;
}
