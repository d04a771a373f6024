import type { Compressor } from './compressors.js';

/**
 * Compressed forms of bodies that come again and again, as hits of a cache do. A form lives exactly as long as the body
 * it was made of, so what the cache drops is dropped here; it is kept only where it is smaller.
 */
export class Variants {
  readonly #byBody = new WeakMap<Buffer, Map<string, Buffer | Promise<Buffer>>>();

  /** The compressed form, at once if there is one. Asked for twice at the same time, it is made once. */
  of(body: Buffer, compressor: Compressor): Buffer | Promise<Buffer> {
    let forms = this.#byBody.get(body);
    if (forms === undefined) {
      forms = new Map();
      this.#byBody.set(body, forms);
    }
    return forms.get(compressor.key) ?? this.#make(body, compressor, forms);
  }

  #make(
    body: Buffer,
    { key, whole }: Compressor,
    forms: Map<string, Buffer | Promise<Buffer>>,
  ): Promise<Buffer> {
    const making = whole(body).then(
      (made) => {
        // Not worth it: from now on the body itself stands for its compressed form.
        const form = made.length < body.length ? made : body;
        forms.set(key, form);
        return form;
      },
      (error) => {
        forms.delete(key);
        throw error;
      },
    );
    forms.set(key, making);
    return making;
  }
}
