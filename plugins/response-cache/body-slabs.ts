import type { StoredBody } from './stored-body.js';

/** Bytes of the largest body that goes into any slab, its head included; larger ones keep memory of their own. */
export const MOST_IN_SLAB = 16 * 1024;

/** What slabs may hold beside live bodies, as a share of those. */
export const MOST_WASTE = 1 / 8;

/** Slabs beyond that share: one is being filled, and some are about to be emptied. */
const SPARE = 4;

/** A slab's bytes: a small part of all, so that there are never many to look through. */
const SHARE_OF_ALL = 1 / 512;
/** Sixteen of the largest bodies: what may be left over at the end is half of what may be wasted. */
const LEAST = 16 * MOST_IN_SLAB;
const MOST = 4 * 1024 * 1024;

/**
 * Memory of many bodies, filled from its start to its end. Only where no body was ever handed out is it filled again: what
 * somebody reads there stays as it is.
 */
export class Slab {
  readonly memory: Buffer;
  /** Somebody may have a body of it, and read that whenever he likes. */
  handedOut = false;
  /** Of those that have left nothing stands here, or they would keep the slabs in memory that they went to. */
  readonly #bodies: (StoredBody | undefined)[] = [];
  #used = 0;
  #live = 0;
  #filling = 1;

  constructor(bytes: number) {
    this.memory = Buffer.allocUnsafeSlow(bytes);
  }

  /** Bytes of the bodies that are live. */
  get live(): number {
    return this.#live;
  }

  /** The how-manieth time it is being filled, or was to the last. */
  get filling(): number {
    return this.#filling;
  }

  /** Begins anew. To be called where nothing is live, and nothing was handed out. */
  clear(): void {
    this.#bodies.length = 0;
    this.#used = 0;
    this.#filling += 1;
  }

  has(room: number): boolean {
    return this.#used + room <= this.memory.length;
  }

  /** To be asked for {@link has} before. */
  take(body: StoredBody): void {
    body.moveTo(this, this.#used, this.#bodies.length);
    this.#bodies.push(body);
    this.#used += body.room;
    this.#live += body.room;
  }

  drop(body: StoredBody): void {
    this.#bodies[body.index] = undefined;
    this.#live -= body.room;
  }

  *liveBodies(): Iterable<StoredBody> {
    for (const body of this.#bodies) if (body !== undefined) yield body;
  }
}

/**
 * Where small bodies are kept: a Buffer for each would take longer to make and to collect than all else that is done to
 * store a response. A slab goes when none of its bodies is live any more; one of which little is live is emptied into
 * another, so that none is kept for the sake of a few bodies.
 */
export class BodySlabs {
  readonly #slabs = new Set<Slab>();
  readonly #slabBytes: number;
  #filling: Slab | undefined;
  /** To be filled next. */
  #next: Slab | undefined;
  #live = 0;

  /** @param maxBytes of all bodies together */
  constructor(maxBytes: number) {
    this.#slabBytes = Math.min(MOST, Math.max(LEAST, Math.round(maxBytes * SHARE_OF_ALL)));
  }

  /** Bytes of all slabs. */
  get bytes(): number {
    return (this.#slabs.size + (this.#next === undefined ? 0 : 1)) * this.#slabBytes;
  }

  /** A stored response has this body; small ones are taken in. */
  add(body: StoredBody): void {
    body.users += 1;
    if (body.users > 1 || body.room === 0 || body.room > MOST_IN_SLAB) return;
    this.#live += body.room;
    this.#place(body);
  }

  /** A stored response that has this body is gone. Who reads it at this moment may read on. */
  remove(body: StoredBody): void {
    const { slab } = body;
    if (body.users === 0) return;
    body.users -= 1;
    if (slab === undefined || body.users > 0) return;
    slab.drop(body);
    this.#live -= body.room;
    if (slab.live === 0 && slab !== this.#filling) this.#drop(slab);
    else if (this.bytes > this.#live * (1 + MOST_WASTE) + SPARE * this.#slabBytes) this.#shrink();
  }

  #place(body: StoredBody): void {
    if (!this.#filling?.has(body.room)) {
      if (this.#filling?.live === 0) this.#drop(this.#filling);
      this.#filling = this.#next ?? new Slab(this.#slabBytes);
      this.#next = undefined;
      this.#slabs.add(this.#filling);
    }
    this.#filling.take(body);
  }

  /** Nothing of a slab is live any more. */
  #drop(slab: Slab): void {
    this.#slabs.delete(slab);
    if (slab.handedOut) return;
    slab.clear();
    this.#next = slab;
  }

  #shrink(): void {
    if (this.#next !== undefined) {
      this.#next = undefined;
      return;
    }
    let sparsest: Slab | undefined;
    for (const slab of this.#slabs) {
      if (slab !== this.#filling && slab.live < (sparsest?.live ?? Number.POSITIVE_INFINITY)) sparsest = slab;
    }
    if (sparsest === undefined) return;
    this.#slabs.delete(sparsest);
    for (const body of sparsest.liveBodies()) this.#place(body);
  }
}
