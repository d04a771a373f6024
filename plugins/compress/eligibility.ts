import compressible from 'compressible';
import { LRUCache } from 'lru-cache';

/** Never: their messages must not wait for a compressor, and their clients seldom know of codings. */
const NEVER = ['text/event-stream', 'application/grpc'];
const MOST_REMEMBERED = 500;

/** Tells from `Content-Type` whether a body is worth compressing. */
export class CompressibleTypes {
  readonly #further: readonly string[];
  readonly #remembered = new LRUCache<string, boolean>({ max: MOST_REMEMBERED });

  /** @param further media types beside those that the mime database knows to be compressible; `model/*` for all of a kind */
  constructor(further: readonly string[]) {
    this.#further = further.map((type) => (type.endsWith('/*') ? type.slice(0, -1) : type));
  }

  has(contentType: string): boolean {
    let known = this.#remembered.get(contentType);
    if (known === undefined) {
      known = this.#decide((contentType.split(';', 1)[0] ?? '').trim().toLowerCase());
      this.#remembered.set(contentType, known);
    }
    return known;
  }

  #decide(type: string): boolean {
    if (NEVER.some((never) => type.startsWith(never))) return false;
    const further = this.#further.some((each) =>
      each.endsWith('/') ? type.startsWith(each) : type === each,
    );
    return further || compressible(type) === true;
  }
}
