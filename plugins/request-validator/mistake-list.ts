import { ConfigurationError, type Mistake } from '../../core/index.js';

/** The mistakes of one file, or of one plugin's options; reported together. */
export class MistakeList {
  readonly #file: string;
  readonly #mistakes: Mistake[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  get count(): number {
    return this.#mistakes.length;
  }

  /** @param path where it is, as a JSON pointer or as the options are written */
  add(path: string, found: string, expected: string): void {
    const isThere = this.#mistakes.some((mistake) => mistake.path === path && mistake.expected === expected);
    if (!isThere) this.#mistakes.push({ file: this.#file, path, found, expected });
  }

  /** @throws ConfigurationError with all of them, if there is one */
  raise(): void {
    if (this.#mistakes.length > 0) throw new ConfigurationError(this.#mistakes);
  }
}
