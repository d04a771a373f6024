import { connectionOptions, FieldFate, responseFields } from './header-fields.js';
import { removeFields } from './request-head.js';

/** Picks the fields of an upstream's response that are meant for the client; for plugins that talk to upstreams themselves. */
export class EndToEndFields {
  readonly #fields = responseFields();

  /**
   * The end-to-end fields (RFC 9110 section 7.6.1) among `raw`, byte for byte and without those that only the gateway sets.
   *
   * @param raw names and values in turn
   */
  of(raw: readonly string[]): string[] {
    const kept: string[] = [];
    let dropped: Set<string> | undefined;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? '';
      const value = raw[i + 1] ?? '';
      const fate = this.#fields.of(name);
      if (fate === FieldFate.Copy) kept.push(name, value);
      else if (fate === FieldFate.Connection) dropped = connectionOptions(value) ?? dropped;
    }
    if (dropped !== undefined) removeFields(kept, dropped);
    return kept;
  }
}
