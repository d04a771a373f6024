import { expect } from 'chai';
import fc from 'fast-check';
import {
  RetryBudget,
  type RetryBudgetLimits,
  type RetryGrant,
} from '../../../../core/proxy/retries/budget.js';

const LIMITS: RetryBudgetLimits = { ratio: 0.2, minConcurrency: 3, window: 10_000 };

/** Requests that all fail, each followed by as many retries as the budget grants, at most `perRequest`. */
function outage(budget: RetryBudget, requests: number, perRequest: number, start = 0): number {
  let retries = 0;
  for (let i = 0; i < requests; i += 1) {
    budget.failed(start + i);
    for (let attempt = 0; attempt < perRequest; attempt += 1) {
      const grant = budget.acquire(start + i);
      if (grant === undefined) break;
      retries += 1;
      budget.settle(grant, 'lost');
    }
  }
  return retries;
}

describe('RetryBudget', () => {
  it('lets a first request be retried', () => {
    const budget = new RetryBudget(LIMITS);
    budget.failed(0);
    expect(budget.acquire(0)).to.equal('reserve');
  });

  it('does not limit retries that are answered', () => {
    const budget = new RetryBudget(LIMITS);
    for (let i = 0; i < 100; i += 1) {
      budget.failed(i);
      const grant = budget.acquire(i);
      if (grant === undefined) throw new Error(`Retry ${i} was refused`);
      budget.settle(grant, 'won');
    }
    expect(budget.retries).to.equal(100);
  });

  it('stops at the share in a total outage, whatever the number of attempts', () => {
    for (const requests of [15, 16, 50, 100, 1000]) {
      expect(outage(new RetryBudget(LIMITS), requests, 2) / requests).to.be.at.most(0.2);
    }
    expect(outage(new RetryBudget(LIMITS), 5, 9)).to.equal(3);
  });

  it('spends the reserve once while nothing is answered, however long it takes', () => {
    const budget = new RetryBudget({ ...LIMITS, ratio: 0 });
    expect(outage(budget, 10, 1)).to.equal(3);
    expect(outage(budget, 10, 1, 1_000_000)).to.equal(0);
  });

  it('fills the reserve again when requests are answered', () => {
    const budget = new RetryBudget({ ...LIMITS, ratio: 0.5 });
    outage(budget, 10, 2);
    for (let i = 0; i < 6; i += 1) budget.answered(1_000_000 + i);
    expect(budget.available).to.equal(3);
  });

  it('lets go of what requests have earned when they leave the window', () => {
    const budget = new RetryBudget({ ...LIMITS, minConcurrency: 0 });
    for (let i = 0; i < 100; i += 1) budget.answered(0);
    expect(budget.available).to.equal(20);
    expect(budget.acquire(9_999)).to.equal('share');
    expect(budget.acquire(10_000)).to.equal(undefined);
  });

  it('takes back what was not used', () => {
    const budget = new RetryBudget({ ...LIMITS, minConcurrency: 1 });
    for (let i = 0; i < 10; i += 1) {
      const grant = budget.acquire(0);
      if (grant === undefined) throw new Error('It was not given back');
      budget.settle(grant, 'unused');
    }
    expect(budget).to.include({ retries: 0, underWay: 0 });
  });

  it('does as its model does, in any history', () => {
    const history = fc.array(
      fc.oneof(
        fc.record({ step: fc.constant('request' as const), good: fc.boolean() }),
        fc.record({ step: fc.constant('acquire' as const) }),
        fc.record({
          step: fc.constant('settle' as const),
          which: fc.nat(),
          outcome: fc.constantFrom('won' as const, 'lost' as const, 'unused' as const),
        }),
        fc.record({ step: fc.constant('wait' as const), ms: fc.nat({ max: 4000 }) }),
      ),
      { maxLength: 300 },
    );
    const tenths = fc.constantFrom(0, 1, 2, 5, 10, 20);
    fc.assert(
      fc.property(
        history,
        tenths,
        fc.nat({ max: 6 }),
        fc.nat({ max: 20_000 }),
        (steps, ratio, reserve, start) => {
          const budget = new RetryBudget({ ratio: ratio / 10, minConcurrency: reserve, window: 10_000 });
          const model = new Model(ratio, reserve);
          const granted: RetryGrant[] = [];
          let now = start;
          let counted = { requests: 0, good: 0, lost: 0 };
          for (const step of steps) {
            if (step.step === 'wait') {
              now += step.ms;
            } else if (step.step === 'request') {
              counted = {
                ...counted,
                requests: counted.requests + 1,
                good: counted.good + (step.good ? 1 : 0),
              };
              if (step.good) budget.answered(now);
              else budget.failed(now);
              model.request(now, step.good);
            } else if (step.step === 'acquire') {
              const grant = budget.acquire(now);
              expect(grant).to.equal(model.acquire(now));
              if (grant !== undefined) granted.push(grant);
            } else if (granted.length > 0) {
              const [grant] = granted.splice(step.which % granted.length, 1);
              if (grant === undefined) throw new Error('No such grant');
              if (step.outcome === 'lost') counted.lost += 1;
              budget.settle(grant, step.outcome);
              model.settle(grant, step.outcome);
            }
            expect(budget.underWay).to.equal(granted.length);
            // Without the model: what may fail was earned by requests, or was in the reserve.
            const most = (ratio / 10) * counted.requests;
            const inReserve = reserve + (ratio / 10) * counted.good;
            expect(counted.lost).to.be.at.most(
              (counted.good === 0 ? Math.max(most, inReserve) : most + inReserve) + 1e-6,
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

/** The budget in integers (tenths of a retry), with every request in a list. */
class Model {
  readonly #ratio: number;
  readonly #mostReserve: number;
  readonly #slots: number[] = [];
  #balance = 0;
  #reserve: number;
  /** When requests were last looked at: the real one slides its window with requests and retries only. */
  #seen = Number.NEGATIVE_INFINITY;

  constructor(ratio: number, reserve: number) {
    this.#ratio = ratio;
    this.#mostReserve = reserve * 10;
    this.#reserve = this.#mostReserve;
  }

  request(now: number, good: boolean): void {
    this.#look(now);
    this.#slots.push(Math.floor(now / 1000));
    this.#earn(this.#ratio);
    if (good) this.#reserve = Math.min(this.#reserve + this.#ratio, this.#mostReserve);
  }

  acquire(now: number): RetryGrant | undefined {
    this.#look(now);
    const grant = this.#reserve >= 10 ? 'reserve' : this.#balance >= 10 ? 'share' : undefined;
    if (grant === undefined) return undefined;
    if (grant === 'reserve') this.#reserve -= 10;
    this.#balance = Math.max(this.#balance - 10, -Math.max(this.#mostReserve, 10));
    return grant;
  }

  settle(grant: RetryGrant, outcome: 'won' | 'lost' | 'unused'): void {
    if (outcome === 'lost') return;
    this.#earn(10);
    if (grant === 'reserve') this.#reserve = Math.min(this.#reserve + 10, this.#mostReserve);
  }

  #look(now: number): void {
    this.#seen = Math.floor(now / 1000);
    this.#earn(0);
  }

  #earn(amount: number): void {
    const recent = this.#slots.filter((slot) => slot > this.#seen - 10).length;
    this.#balance = Math.min(this.#balance + amount, this.#ratio * recent);
  }
}
