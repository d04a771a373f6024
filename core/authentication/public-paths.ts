/** What an upstream may decode to another path than the one that was matched; in lower case. */
const AMBIGUOUS = ['%2e', '%2f', '%5c'];

/** Paths that need no credential: `/path` is that path, `/path/*` everything below it. */
export class PublicPaths {
  readonly #exact: ReadonlySet<string>;
  /** With their final slash. */
  readonly #prefixes: readonly string[];

  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((pattern) => !pattern.endsWith('/*')));
    this.#prefixes = patterns
      .filter((pattern) => pattern.endsWith('/*'))
      .map((pattern) => pattern.slice(0, -1));
  }

  /**
   * Whether a path is public. One that an upstream may read as a path elsewhere never is, by whatever prefix.
   *
   * @param path normalised, without query
   */
  has(path: string): boolean {
    if (this.#exact.has(path)) return true;
    for (const prefix of this.#prefixes) if (path.startsWith(prefix)) return !isAmbiguous(path);
    return false;
  }
}

/** `limits.encodedSlashes: pass` lets separators through that are none here, and may be some at an upstream. */
function isAmbiguous(path: string): boolean {
  if (path.includes('..') || path.includes('\\')) return true;
  if (!path.includes('%')) return false;
  const lower = path.toLowerCase();
  return AMBIGUOUS.some((encoded) => lower.includes(encoded));
}
