import type { Exchange } from '../../exchange.js';
import type { Balancer } from '../balancer.js';
import type { Target } from '../target.js';
import { hash32, mix32 } from './hash.js';
import type { HashKey } from './hash-key.js';

const SLOTS = 4096;
/** More than 64 targets would have few slots each, and so uneven shares. */
const SLOTS_FOR_MANY = 16_384;
const MANY = 64;

/**
 * Sends requests with equal keys to the same target. Keys fall into slots, and each slot belongs to the target that
 * wins it by weighted rendezvous hashing (Thaler and Ravishankar 1998; Resch, "New hashing algorithms for data
 * storage", 2015). The share of a target follows its weight, and whether it wins a slot depends on nothing but its url
 * and weight: when a target leaves, its own slots go to the others and no other slot moves.
 *
 * A pick is one look-up; the table is brought up to date at the first pick after a change.
 */
export class ConsistentHash implements Balancer {
  readonly #key: HashKey;
  #candidates: readonly Candidate[] = [];
  #table = new SlotTable(SLOTS);

  constructor(key: HashKey) {
    this.#key = key;
  }

  update(targets: readonly Target[]): void {
    this.#candidates = targets.map((target) => ({
      target,
      weight: target.effectiveWeight,
      seed: hash32(target.url),
    }));
    // Never fewer slots again: another number of them moves most keys.
    if (targets.length > MANY && this.#table.slots === SLOTS) this.#table = new SlotTable(SLOTS_FOR_MANY);
  }

  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    const table = this.#table;
    if (this.#candidates.length === 0) return undefined;
    if (table.candidates !== this.#candidates) table.assign(this.#candidates);
    const slot = (exchange === undefined ? 0 : hash32(this.#key(exchange))) % table.slots;
    const winner = table.winners[slot];
    if (winner === undefined || tried === undefined || !tried.includes(winner)) return winner;
    // The same that would win the slot if the tried ones had left.
    const untried = this.#candidates.filter(({ target }) => !tried.includes(target));
    return best(slot, untried)?.target ?? winner;
  }
}

interface Candidate {
  readonly target: Target;
  readonly weight: number;
  readonly seed: number;
}

/** Which target has which slot, and by what arrival it won. */
class SlotTable {
  readonly slots: number;
  /** Those that the slots were assigned to. */
  candidates: readonly Candidate[] = [];
  readonly winners: Target[] = [];
  readonly #arrivals: Float64Array;

  constructor(slots: number) {
    this.slots = slots;
    this.#arrivals = new Float64Array(slots);
  }

  /**
   * Assigns all slots. Only those are contested that a target has lost, or may win, by the difference: a target that
   * starts slowly changes its weight often, and a whole table for a hundred targets takes tens of milliseconds.
   */
  assign(candidates: readonly Candidate[]): void {
    const before = weights(this.candidates);
    const after = weights(candidates);
    const stronger = candidates.filter(({ target, weight }) => weight > (before.get(target) ?? 0));
    const weaker = new Set(
      this.candidates
        .filter(({ target, weight }) => weight > (after.get(target) ?? 0))
        .map(({ target }) => target),
    );
    for (let slot = 0; slot < this.slots; slot++) {
      const holder = this.winners[slot];
      if (holder === undefined || weaker.has(holder)) this.#give(slot, best(slot, candidates));
      else this.#give(slot, best(slot, stronger, this.#arrivals[slot]));
    }
    this.candidates = candidates;
  }

  #give(slot: number, candidate: Candidate | undefined): void {
    if (candidate === undefined) return;
    this.winners[slot] = candidate.target;
    this.#arrivals[slot] = arrival(slot, candidate);
  }
}

function weights(candidates: readonly Candidate[]): Map<Target, number> {
  return new Map(candidates.map(({ target, weight }) => [target, weight]));
}

/** Who arrives first at a slot; undefined when nobody does before `limit`. */
function best(
  slot: number,
  candidates: readonly Candidate[],
  limit = Number.POSITIVE_INFINITY,
): Candidate | undefined {
  let winner: Candidate | undefined;
  let earliest = limit;
  for (const candidate of candidates) {
    const time = arrival(slot, candidate);
    if (time < earliest) {
      earliest = time;
      winner = candidate;
    }
  }
  return winner;
}

/** An exponential variable with rate `weight`: the least of all with a probability in proportion to the weight. */
function arrival(slot: number, { seed, weight }: Candidate): number {
  const uniform = (mix32(mix32(slot + 0x9e3779b9) ^ seed) + 0.5) / 0x1_0000_0000;
  return -Math.log(uniform) / weight;
}
