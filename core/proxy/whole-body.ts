/** A body that is there in full and does not change. */
export interface WholeBody {
  /** Bytes. */
  readonly length: number;
  /** Its bytes, the same Buffer each time. */
  readonly bytes: Buffer;
  /** Its bytes as text, each byte one character: small bodies are sent with their head in one text. */
  readonly text: string;
}
