import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';

/**
 * Groups of targets by priority, each with a balancer of its own. All requests go to the group of the lowest number
 * that has targets at all; the groups behind it are backups, each used when there is none before it. A request whose
 * earlier attempts have tried a whole group goes on to the next.
 */
export class PriorityGroups implements Balancer {
  readonly #create: () => Balancer;
  /** By priority: balancers of groups without targets too, as they go on where they were. */
  readonly #balancers = new Map<number, Balancer>();
  /** Those with targets, in the order they are used. */
  #groups: readonly Balancer[] = [];

  /** @param create makes the balancer of a group */
  constructor(create: () => Balancer) {
    this.#create = create;
  }

  update(targets: readonly Target[]): void {
    const members = new Map<number, Target[]>();
    for (const target of targets) {
      const group = members.get(target.priority);
      if (group) group.push(target);
      else members.set(target.priority, [target]);
    }
    this.#groups = [...members]
      .sort(([a], [b]) => a - b)
      .map(([priority, group]) => {
        const balancer = this.#balancers.get(priority) ?? this.#create();
        this.#balancers.set(priority, balancer);
        balancer.update(group);
        return balancer;
      });
  }

  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const first = this.#groups[0]?.pick(exchange, tried);
    if (first === undefined || tried === undefined || !tried.includes(first)) return first;
    for (let next = 1; next < this.#groups.length; next++) {
      const backup = this.#groups[next]?.pick(exchange, tried);
      if (backup !== undefined && !tried.includes(backup)) return backup;
    }
    return first;
  }
}
