/** What is wrong with a path pattern, or the names that it matches. */
export type PathPattern =
  | { readonly fault: { readonly found: string; readonly expected: string } }
  | { readonly names: readonly string[]; readonly wildcard: boolean };

/**
 * Checks the path pattern of a route: `/q/:symbol` with names for whole segments, a final `/*` for the rest.
 * A pattern that the normalised path of a request can never equal is refused, because the route would be dead.
 */
export function checkPathPattern(pattern: string): PathPattern {
  const fault = (found: string, expected: string): PathPattern => ({ fault: { found, expected } });
  if (!pattern.startsWith('/')) return fault(JSON.stringify(pattern), "a path that starts with '/'");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0020\u007f\\?#]/.test(pattern)) {
    return fault(
      JSON.stringify(pattern),
      "a path without query, fragment, spaces, control characters and '\\'",
    );
  }
  if (pattern.includes('//')) return fault(JSON.stringify(pattern), "a path without '//'");
  if (/%(?![0-9a-f]{2})/i.test(pattern))
    return fault(JSON.stringify(pattern), "'%' with two hexadecimal digits");
  if (/%(?:2f|5c|2e|00)/i.test(pattern)) {
    return fault(JSON.stringify(pattern), 'a path without encoded slashes, dots and NUL');
  }
  const names: string[] = [];
  const segments = pattern.slice(1).split('/');
  for (const [position, segment] of segments.entries()) {
    if (segment === '.' || segment === '..')
      return fault(`the segment "${segment}"`, 'a path without dot segments');
    if (segment === '*') {
      if (position < segments.length - 1) return fault("'*' before the end", "'*' as the last segment only");
      return { names, wildcard: true };
    }
    if (segment.includes('*'))
      return fault(`the segment "${segment}"`, "'*' as a whole segment, the last one");
    if (!segment.includes(':')) continue;
    const name = /^:([A-Za-z_]\w*)$/.exec(segment)?.[1];
    if (name === undefined) return fault(`the segment "${segment}"`, "':name' as a whole segment");
    if (names.includes(name)) return fault(`":${name}" twice`, 'each name only once');
    names.push(name);
  }
  return { names, wildcard: false };
}

const RESERVED_PATHS = ['/health', '/metrics', '/api/v1/gateway', '/api/v1/auth'] as const;

/** The path of the gateway's own that a pattern would hide; undefined when it hides none. */
export function shadowedPath(pattern: string): string | undefined {
  return RESERVED_PATHS.find((own) => pattern === own || pattern.startsWith(`${own}/`));
}
