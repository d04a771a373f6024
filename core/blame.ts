/** Who failed: a plugin, and which of its members. */
export interface Blame {
  /** The id of the plugin instance. */
  readonly plugin: string;
  readonly member: string;
}

const BLAME = Symbol('blame');

/** Stamps a failure with who caused it. The first stamp stays: it is the one nearest to the failure. */
export function stamp(failure: unknown, blame: Blame): void {
  if (failure instanceof Error && !(BLAME in failure) && Object.isExtensible(failure)) {
    Object.defineProperty(failure, BLAME, { value: blame });
  }
}

/** Who caused a failure, where that is known. */
export function blameFor(failure: unknown): Blame | undefined {
  return failure instanceof Error && BLAME in failure ? (failure[BLAME] as Blame) : undefined;
}
