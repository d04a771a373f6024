import type { Target } from '../target.js';

/** The targets that are not among `tried`; all of them when none is left. Only retries come here. */
export function untriedOf(
  targets: readonly Target[],
  tried: readonly Target[] | undefined,
): readonly Target[] {
  if (tried === undefined || tried.length === 0) return targets;
  const left = targets.filter((target) => !tried.includes(target));
  return left.length > 0 ? left : targets;
}
