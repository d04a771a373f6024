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

  /** @param path normalised, without query */
  has(path: string): boolean {
    if (this.#exact.has(path)) return true;
    for (const prefix of this.#prefixes) if (path.startsWith(prefix)) return true;
    return false;
  }
}
