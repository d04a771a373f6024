/** Fields of requests that say something to caches, or tell who asks. */
const SPEAKING = new Set([
  'authorization',
  'cache-control',
  'cookie',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'range',
]);

const LENGTHS = new Set(Array.from(SPEAKING, (name) => name.length));

/**
 * Whether a request has none of the fields that make a difference to a cache: then nobody needs to look for any of them,
 * and Node.js need not make an object of all its fields.
 *
 * @param fields names and values in turn
 */
export function isPlainRequest(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (LENGTHS.has(name.length) && SPEAKING.has(name.toLowerCase())) return false;
  }
  return true;
}
