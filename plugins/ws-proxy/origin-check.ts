/**
 * Which pages may open a WebSocket. Browsers send cookies along with it whatever page asks, and no CORS check comes before
 * it (RFC 6455 section 10.2); so a service that goes by cookies has to name its pages.
 */
export class OriginCheck {
  readonly #exact: ReadonlySet<string>;
  /** Scheme with `://`, and the end of the host with its dot. */
  readonly #wildcards: readonly (readonly [scheme: string, suffix: string])[];

  /** @param origins serialised origins (RFC 6454 section 6.2), `https://*.example.com` for one label or more; empty for any */
  constructor(origins: readonly string[]) {
    this.#exact = new Set(origins.filter((origin) => !origin.includes('*')));
    this.#wildcards = origins
      .filter((origin) => origin.includes('*'))
      .map((origin) => [origin.slice(0, origin.indexOf('*')), origin.slice(origin.indexOf('*') + 1)]);
  }

  /** @param origin the `Origin` field; undefined for a caller that is no browser, which passes */
  allows(origin: string | undefined): boolean {
    if (origin === undefined || (this.#exact.size === 0 && this.#wildcards.length === 0)) return true;
    const lower = origin.toLowerCase();
    if (this.#exact.has(lower)) return true;
    for (const [scheme, suffix] of this.#wildcards) {
      if (lower.startsWith(scheme) && lower.endsWith(suffix) && lower.length > scheme.length + suffix.length)
        return true;
    }
    return false;
  }
}
