import { type Fault, type Mistake, mistakeAt } from './mistakes.js';
import type { Path } from './paths.js';

/** Where a value was written. */
export interface Origin {
  /** The file as the user knows it, or `the environment`. */
  readonly file: string;
  readonly path: Path;
}

/**
 * Remembers where the parts of the normal form come from, so that a mistake is reported at the place that the user
 * wrote: `services.foo` instead of `services.foo.targets[0].url` for a service that is given as a URL.
 */
export class Origins {
  readonly #file: string;
  readonly #origins = new Map<string, Origin>();

  /** @param file where everything stands that is not recorded otherwise, at the same path */
  constructor(file: string) {
    this.#file = file;
  }

  /** Records that `path`, and what is below it, stands at `written` in the file (or in another one). */
  record(path: Path, written: Path, file: string = this.#file): void {
    this.#origins.set(JSON.stringify(path), { file, path: written });
  }

  /** Records that `path` was written out of what stands at `other`. */
  recordAs(path: Path, other: Path): void {
    const { file, path: written } = this.locate(other);
    this.record(path, written, file);
  }

  /** Where something stands: as recorded for it, or for the nearest part that it belongs to. */
  locate(path: Path): Origin {
    for (let length = path.length; length >= 0; length -= 1) {
      const origin = this.#origins.get(JSON.stringify(path.slice(0, length)));
      if (origin !== undefined) return { file: origin.file, path: [...origin.path, ...path.slice(length)] };
    }
    return { file: this.#file, path };
  }

  /** A fault of the normal form as a mistake at the place where it was written. */
  mistake(fault: Fault): Mistake {
    const { file, path } = this.locate(fault.path);
    return mistakeAt(file, path, fault);
  }
}
