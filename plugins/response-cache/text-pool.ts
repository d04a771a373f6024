/** Texts that are remembered, and the length of the longest. */
const MOST_TEXTS = 256;
const MOST_LENGTH = 128;

/** Keeps one of each text, for what would keep many of the same: values of fields that hardly ever differ. */
export class TextPool {
  readonly #texts = new Map<string, string>();

  /** The same text; the one that came first, where there is room to remember it. */
  readonly same = (text: string): string => {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size < MOST_TEXTS && text.length <= MOST_LENGTH) this.#texts.set(text, text);
    return text;
  };
}
