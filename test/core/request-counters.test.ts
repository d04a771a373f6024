import { expect } from 'chai';
import { RequestCounters } from '../../core/request-counters.js';
import { FakeClock } from '../support/fake-clock.js';
import { exchangeOf, requestOf } from './statistics/exchanges.js';

describe('RequestCounters', () => {
  it('count all requests, and those of each service', () => {
    const clock = new FakeClock();
    const counters = new RequestCounters(clock);
    clock.tick(40);
    counters.count(exchangeOf({ service: 'one', status: 200, startedAt: 10 }));
    counters.count(exchangeOf({ service: 'one', status: 500 }));
    counters.count(exchangeOf({ service: 'two', delivered: false }));
    counters.count(requestOf({ status: 404 }));
    expect([counters.total, counters.successful, counters.failed]).to.deep.equal([4, 1, 3]);
    const services = Array.from(counters.services(), ([name, tally]) => [
      name,
      tally.total,
      tally.successful,
    ]);
    expect(services).to.deep.equal([
      ['one', 2, 1],
      ['two', 1, 0],
    ]);
    expect(counters.percentiles().p50).to.be.closeTo(40, 1.25);
    const [one] = counters.services();
    expect(one?.[2].p50).to.be.closeTo(30, 1);
  });

  it('mark what they counted', () => {
    const [counted, own] = [requestOf({}), requestOf({})];
    new RequestCounters(new FakeClock()).count(counted);
    expect([counted.counted, own.counted]).to.deep.equal([true, false]);
  });

  it('count an upgrade that was granted as a success', () => {
    const counters = new RequestCounters(new FakeClock());
    counters.count(exchangeOf({ status: 101, kind: 'upgrade', delivered: false }));
    expect([counters.total, counters.successful]).to.deep.equal([1, 1]);
  });

  it('follow at most 10,000 services, and drop the first', () => {
    const counters = new RequestCounters(new FakeClock());
    const first = exchangeOf({ service: 'first' });
    counters.count(first);
    for (let i = 0; i < 10_000; i++) {
      const name = `service-${i}`;
      Object.defineProperty(first, 'service', { value: { name }, configurable: true });
      counters.count(first);
    }
    const names = Array.from(counters.services(), ([name]) => name);
    expect(names).to.have.length(10_000);
    expect(names).not.to.include('first');
    expect(counters.total).to.equal(10_001);
  });
});
