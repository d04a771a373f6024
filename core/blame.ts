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

const NOBODY: Blame = { plugin: '', member: '' };

/** Marks a failure as no plugin's, so that none of those that it passes on its way is blamed for it. */
export function exonerate(failure: unknown): void {
  stamp(failure, NOBODY);
}

/** The plugin that caused a failure, where it was one. */
export function blameFor(failure: unknown): Blame | undefined {
  const blame = failure instanceof Error && BLAME in failure ? (failure[BLAME] as Blame) : undefined;
  return blame === NOBODY ? undefined : blame;
}
