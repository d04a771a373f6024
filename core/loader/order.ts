import type { OrderConstraints } from '../plugin.js';

/** A plugin in the list, as far as its order matters. */
export interface OrderedPlugin {
  readonly id: string;
  /** The name of its definition, which constraints refer to. */
  readonly name: string;
  readonly order?: OrderConstraints | undefined;
}

/** A constraint that the list breaks. */
export interface OrderViolation {
  /** Position in the list of the plugin that stands wrong. */
  readonly index: number;
  /** One sentence that says which line to move where. */
  readonly message: string;
}

/** Finds every order constraint that the list breaks. The list itself is never re-sorted: what the user wrote is the order. */
export function orderViolations(plugins: readonly OrderedPlugin[]): OrderViolation[] {
  const violations: OrderViolation[] = [];
  const reported = new Set<string>();
  for (const [index, plugin] of plugins.entries()) {
    for (const [otherIndex, other] of plugins.entries()) {
      const late = otherIndex > index && plugin.order?.after?.includes(other.name);
      const early = otherIndex < index && plugin.order?.before?.includes(other.name);
      const pair = `${Math.min(index, otherIndex)} ${Math.max(index, otherIndex)}`;
      if ((!late && !early) || reported.has(pair)) continue;
      reported.add(pair);
      violations.push({
        index,
        message: late
          ? `'${plugin.id}' must stand after '${other.id}': move the line of '${plugin.id}' below it`
          : `'${plugin.id}' must stand before '${other.id}': move the line of '${plugin.id}' above it`,
      });
    }
  }
  return violations;
}
