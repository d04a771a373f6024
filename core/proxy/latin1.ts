declare global {
  interface Buffer {
    /** What `toString('latin1')` comes down to, without its detour over the encoding's name; Node.js has it for its own parser. */
    latin1Slice(start?: number, end?: number): string;
    /** The way back: bytes from `offset` on. */
    latin1Write(text: string, offset?: number, length?: number): number;
  }
}

/** The text of bytes as HTTP/1.1 heads mean them: each byte one character (RFC 9110 section 5.5). */
export function latin1(bytes: Buffer): string {
  return bytes.latin1Slice(0, bytes.length);
}
