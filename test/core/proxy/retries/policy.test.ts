import { expect } from 'chai';
import fc from 'fast-check';
import { parseSettings } from '../../../../core/config/parse.js';
import { DEFAULT_RETRIES } from '../../../../core/config/retries-schema.js';
import { RetryPolicy } from '../../../../core/proxy/retries/policy.js';

const context = { source: 'the test', baseDirectory: '.', env: {}, catalogueNames: [] };

function parse(service: object, route: object = {}) {
  const { settings } = parseSettings(
    {
      services: { a: { targets: ['http://a'], ...service } },
      routes: [{ id: 'r', match: { path: '/r' }, service: 'a', ...route }],
    },
    context,
  );
  return { service: settings.services.a?.retries, route: settings.routes[0]?.retries };
}

describe('the settings of retries', () => {
  it('have the defaults that hold without any', () => {
    expect(parse({}).service).to.deep.equal(DEFAULT_RETRIES);
    expect(parse({ retries: true }).service).to.deep.equal(DEFAULT_RETRIES);
  });

  it('`false` is one attempt', () => {
    expect(parse({ retries: false }).service).to.deep.equal({ ...DEFAULT_RETRIES, attempts: 1 });
    expect(parse({}, { retries: false }).route).to.deep.equal({ attempts: 1 });
  });

  it('of a route hold nothing that it does not say', () => {
    expect(parse({}).route).to.equal(undefined);
    expect(parse({}, { retries: { on: [503], backoff: { max: '1s' } } }).route).to.deep.equal({
      on: [503],
      backoff: { max: 1000 },
    });
  });

  it('of a route have no budget, which is the service’s', () => {
    expect(() => parse({}, { retries: { budget: { ratio: 1 } } })).to.throw(/routes\[0\]\.retries\.budget/);
  });

  for (const wrong of [
    { attempts: 0 },
    { attempts: 11 },
    { on: ['refused'] },
    { on: [200] },
    { on: ['3xx'] },
    { methods: ['get'] },
    { backoff: { jitter: 2 } },
    { budget: { ratio: -1 } },
    { budget: { window: '1ms' } },
    { retires: 3 },
  ]) {
    it(`refuse ${JSON.stringify(wrong)}`, () => {
      expect(() => parse({ retries: wrong })).to.throw(/services\.a\.retries/);
    });
  }
});

describe('RetryPolicy', () => {
  it('takes from the route what it has, and the rest from the service', () => {
    const service = { ...DEFAULT_RETRIES, attempts: 4, backoff: { base: 10, max: 100, jitter: 0 } };
    const policy = new RetryPolicy(service, { on: ['5xx', 429], backoff: { max: 20 } });
    expect(policy.attempts).to.equal(4);
    expect([0, 1, 2, 3].map((round) => policy.backoff(round, 0.5))).to.deep.equal([10, 20, 20, 20]);
    const retried = [428, 429, 430, 499, 500, 599, 600].filter((status) => policy.retriesStatus(status));
    expect(retried).to.deep.equal([429, 500, 599]);
    expect(policy.retriesCause('connect', false)).to.equal(false);
    expect(policy.suspectFrom).to.equal(429);
  });

  it('repeats the idempotent methods of RFC 9110 section 9.2.2 unless told otherwise', () => {
    const policy = new RetryPolicy(DEFAULT_RETRIES);
    const repeated = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'CONNECT'].filter(
      (method) => policy.repeats(method),
    );
    expect(repeated).to.deep.equal(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
  });

  it('waits no longer than the longest wait, and all of it without jitter', () => {
    fc.assert(
      fc.property(
        fc.record({
          base: fc.nat({ max: 1000 }),
          max: fc.nat({ max: 5000 }),
          jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.nat({ max: 100 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (backoff, round, random) => {
          const wait = new RetryPolicy({ ...DEFAULT_RETRIES, backoff }).backoff(round, random);
          const whole = Math.min(backoff.base * 2 ** round, backoff.max);
          expect(wait).to.be.within(whole * (1 - backoff.jitter) - 1e-9, whole);
        },
      ),
    );
  });
});
