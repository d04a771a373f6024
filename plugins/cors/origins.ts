/** A pattern `scheme://*.domain`: what stands before and after the `*`. */
interface Pattern {
  readonly start: string;
  readonly end: string;
}

const LABELS = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/;

/** What an origin in the configuration may look like; the Fetch standard, section 3.2, is about the field. */
export const ORIGIN_PATTERN =
  '^(?:\\*|[A-Za-z][A-Za-z0-9+.-]*://(?:\\*\\.(?:[A-Za-z0-9-]+\\.)+)?(?:[A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\])(?::\\d{1,5})?)$';

/** The origins that may read responses. */
export class Origins {
  /** Whether any origin may. */
  readonly any: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #patterns: readonly Pattern[];

  /** @param origins each of {@link ORIGIN_PATTERN}: exact, `https://*.example.com`, or `*` */
  constructor(origins: readonly string[]) {
    const written = origins.map(serialise);
    this.any = written.includes('*');
    this.#exact = new Set(written.filter((origin) => !origin.includes('*')));
    this.#patterns = written
      .filter((origin) => origin.includes('://*.'))
      .map((origin) => {
        const star = origin.indexOf('*');
        return { start: origin.slice(0, star), end: origin.slice(star + 1) };
      });
  }

  /** Whether `origin`, as a browser sent it, is one of them. */
  has(origin: string): boolean {
    if (this.any || this.#exact.has(origin)) return true;
    for (const { start, end } of this.#patterns) {
      if (origin.length <= start.length + end.length || !origin.startsWith(start) || !origin.endsWith(end))
        continue;
      if (LABELS.test(origin.slice(start.length, origin.length - end.length))) return true;
    }
    return false;
  }
}

/** As browsers write it (RFC 6454 section 6.2): in lower case and without the port that the scheme has anyway. */
function serialise(origin: string): string {
  const lower = origin.toLowerCase();
  if (lower.startsWith('https://')) return lower.replace(/:443$/, '');
  return lower.startsWith('http://') ? lower.replace(/:80$/, '') : lower;
}
