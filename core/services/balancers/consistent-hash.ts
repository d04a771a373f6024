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
 * A pick is one look-up; the table is made at the first pick after a change.
 */
export class ConsistentHash implements Balancer {
  readonly #key: HashKey;
  #candidates: readonly Candidate[] = [];
  /** The winner of each slot; undefined until the next pick. */
  #winners: readonly Target[] | undefined;
  #slots = SLOTS;

  constructor(key: HashKey) {
    this.#key = key;
  }

  update(targets: readonly Target[]): void {
    this.#candidates = targets.map((target) => ({
      target,
      weight: target.weight,
      seed: hash32(target.url),
    }));
    // Never fewer again: another number of slots moves most keys.
    if (targets.length > MANY) this.#slots = SLOTS_FOR_MANY;
    this.#winners = undefined;
  }

  pick(exchange: Exchange | undefined, tried?: readonly Target[]): Target | undefined {
    if (this.#candidates.length === 0) return undefined;
    const slot = (exchange === undefined ? 0 : hash32(this.#key(exchange))) % this.#slots;
    this.#winners ??= this.#assign();
    const winner = this.#winners[slot];
    if (winner === undefined || tried === undefined || !tried.includes(winner)) return winner;
    // The same that would win the slot if the tried ones had left.
    return winnerOf(slot, this.#candidates, tried) ?? winner;
  }

  #assign(): Target[] {
    const winners: Target[] = [];
    for (let slot = 0; slot < this.#slots; slot++) {
      const winner = winnerOf(slot, this.#candidates);
      if (winner) winners.push(winner);
    }
    return winners;
  }
}

interface Candidate {
  readonly target: Target;
  readonly weight: number;
  readonly seed: number;
}

function winnerOf(
  slot: number,
  candidates: readonly Candidate[],
  without?: readonly Target[],
): Target | undefined {
  const slotBits = mix32(slot + 0x9e3779b9);
  let winner: Target | undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const { target, weight, seed } of candidates) {
    if (without?.includes(target)) continue;
    const uniform = (mix32(slotBits ^ seed) + 0.5) / 0x1_0000_0000;
    // An exponential variable with rate `weight`: it is the least of all with a probability in proportion to `weight`.
    const arrival = -Math.log(uniform) / weight;
    if (arrival < best) {
      best = arrival;
      winner = target;
    }
  }
  return winner;
}
