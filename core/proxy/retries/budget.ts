/** What a {@link RetryBudget} keeps to. */
export interface RetryBudgetLimits {
  /** Most retries that fail as well, as a share of the requests in the window; 0 to 10. */
  readonly ratio: number;
  /** Retries under way that are allowed however few the requests, until they fail. */
  readonly minConcurrency: number;
  /** How long a request counts, in milliseconds, from 1000. */
  readonly window: number;
}

/** Leave for one retry; to be given back with {@link RetryBudget.settle}. */
export type RetryGrant = 'share' | 'reserve';

/** Into how many parts the window slides. */
const SLOTS = 10;

/** One; sums of fractions like 0.2 fall short of it by a rounding error. */
const WHOLE = 1 - 1e-9;

/**
 * Keeps retries from multiplying the load on a service that is down. Each request earns `ratio` of a retry, each retry
 * costs one, and a retry that is answered well gives its cost back: so what is limited are the retries that fail too. With
 * everything down, N requests lead to at most `max(minConcurrency, ratio * N)` retries. No more is saved up than the
 * requests of the window have earned.
 *
 * `minConcurrency` lets a service with few requests retry at all. What is taken from this reserve comes back when the
 * retry, or other requests, are answered well; where nothing is answered, it is spent once.
 *
 * Times are monotonic, in milliseconds.
 */
export class RetryBudget {
  readonly limits: RetryBudgetLimits;
  /** Retries so far. */
  retries = 0;
  /** Retries that were not made for want of budget. */
  exhausted = 0;
  readonly #slotLength: number;
  readonly #counts: number[] = new Array(SLOTS).fill(0);
  #slot = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #balance = 0;
  #reserve: number;
  #underWay = 0;

  constructor(limits: RetryBudgetLimits) {
    this.limits = limits;
    this.#slotLength = limits.window / SLOTS;
    this.#reserve = limits.minConcurrency;
  }

  /** Whether these are its limits. */
  keepsTo({ ratio, minConcurrency, window }: RetryBudgetLimits): boolean {
    const { limits } = this;
    return limits.ratio === ratio && limits.minConcurrency === minConcurrency && limits.window === window;
  }

  /** Retries that could be made now. */
  get available(): number {
    return Math.max(Math.floor(this.#balance + 1 - WHOLE), Math.floor(this.#reserve + 1 - WHOLE), 0);
  }

  /** Retries that were granted and not settled. */
  get underWay(): number {
    return this.#underWay;
  }

  /** A request was answered well at its first attempt. */
  answered(now: number): void {
    this.#count(now);
    if (this.#reserve < this.limits.minConcurrency) this.#refill(this.limits.ratio);
  }

  /** The first attempt of a request has failed. To be called before {@link acquire}. */
  failed(now: number): void {
    this.#count(now);
  }

  #count(now: number): void {
    const slot = Math.floor(now / this.#slotLength);
    if (slot !== this.#slot) this.#slide(slot);
    this.#counts[slot % SLOTS] = (this.#counts[slot % SLOTS] ?? 0) + 1;
    this.#requests++;
    this.#credit(this.limits.ratio);
  }

  /** Leave for one more retry, or undefined. */
  acquire(now: number): RetryGrant | undefined {
    const slot = Math.floor(now / this.#slotLength);
    if (slot !== this.#slot) this.#slide(slot);
    let grant: RetryGrant;
    // The reserve goes first, and counts against the share: both together never give more than the greater of them.
    if (this.#reserve >= WHOLE) grant = 'reserve';
    else if (this.#balance >= WHOLE) grant = 'share';
    else return undefined;
    if (grant === 'reserve') this.#reserve -= 1;
    // A debt that no outage can outgrow: or a service that has recovered would go without retries for long.
    this.#balance = Math.max(this.#balance - 1, -Math.max(this.limits.minConcurrency, 1));
    this.#underWay++;
    return grant;
  }

  /**
   * Gives a grant back.
   *
   * @param outcome `won` for a good answer, `lost` for a failure, `unused` when no upstream was asked
   */
  settle(grant: RetryGrant, outcome: 'won' | 'lost' | 'unused'): void {
    this.#underWay--;
    if (outcome !== 'unused') this.retries++;
    if (outcome === 'lost') return;
    this.#credit(1);
    if (grant === 'reserve') this.#refill(1);
  }

  #credit(amount: number): void {
    this.#balance = Math.min(this.#balance + amount, this.limits.ratio * this.#requests);
  }

  #refill(amount: number): void {
    this.#reserve = Math.min(this.#reserve + amount, this.limits.minConcurrency);
  }

  /** Lets go of requests that have left the window. */
  #slide(slot: number): void {
    const passed = slot - this.#slot;
    if (passed >= SLOTS) {
      this.#counts.fill(0);
      this.#requests = 0;
    } else {
      for (let old = this.#slot + 1; old <= slot; old++) {
        this.#requests -= this.#counts[old % SLOTS] ?? 0;
        this.#counts[old % SLOTS] = 0;
      }
    }
    this.#slot = slot;
    this.#credit(0);
  }
}
