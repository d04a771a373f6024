import { expect } from 'chai';
import { GatewayError } from '../../../../core/errors.js';
import type { AttemptWrapper, UpstreamHead } from '../../../../core/plugin.js';
import { upgradeAttempts } from '../../../../core/proxy/retries/upgrades.js';
import type { Target } from '../../../../core/services/target.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { exchangeOf, serviceOf, settingsOf } from '../../services/support.js';

const SWITCHING: UpstreamHead = { status: 101, headers: [] };

describe('upgradeAttempts', () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  let records: (readonly [string, boolean])[] = [];

  function exchangeTo(urls: readonly string[]) {
    const service = serviceOf('a', settingsOf(urls));
    records = [];
    for (const target of service.targets) {
      const outlier = { record: (ok: boolean) => records.push([target.url, ok]) };
      Object.assign(target, { outlier });
    }
    const exchange = exchangeOf({});
    Object.assign(exchange, { service, attempts: 0 });
    return exchange;
  }

  const head = { write: () => ['x-request-id', '1'] };
  const attemptsWith = (wrappers: readonly AttemptWrapper[]) => upgradeAttempts(wrappers, head, clock);
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (failure: unknown) => failure,
    );

  it('connects inside the wrappers, the outermost first, and notes target and attempt', async () => {
    seen.length = 0;
    const wrapper =
      (name: string): AttemptWrapper =>
      (attempt, next) => {
        seen.push(`${name} ${attempt.number}`);
        return next();
      };
    const exchange = exchangeTo(['http://one:1']);
    const connect = async (_target: Target, fields: readonly string[]) => {
      seen.push(fields.join('='));
      return SWITCHING;
    };
    expect(await attemptsWith([wrapper('outer'), wrapper('inner')])(exchange, connect)).to.equal(SWITCHING);
    expect(seen).to.deep.equal(['outer 1', 'inner 1', 'x-request-id=1']);
    expect(exchange).to.include({ attempts: 1 });
    expect(exchange.target?.url).to.equal('http://one:1');
    expect(records).to.deep.equal([['http://one:1', true]]);
  });

  it('goes on to another target where the first is refused, and to each but once', async () => {
    const refusal = new GatewayError('SERVICE_UNAVAILABLE', { anotherTarget: true });
    const refused: string[] = [];
    const refuse: AttemptWrapper = ({ target }) => {
      refused.push(target.url);
      return Promise.reject(refusal);
    };
    const exchange = exchangeTo(['http://one:1', 'http://two:2', 'http://three:3']);
    const attempt = attemptsWith([refuse]);
    expect(await failureOf(attempt(exchange, async () => SWITCHING))).to.equal(refusal);
    expect(refused.toSorted()).to.deep.equal(['http://one:1', 'http://three:3', 'http://two:2']);
    expect(exchange.attempts).to.equal(0);
    expect(records).to.deep.equal([]);
  });

  it('counts no attempt where a wrapper refuses before anybody is asked', async () => {
    const refusal = new GatewayError('SERVICE_UNAVAILABLE');
    const exchange = exchangeTo(['http://one:1']);
    const attempt = attemptsWith([() => Promise.reject(refusal)]);
    expect(await failureOf(attempt(exchange, async () => SWITCHING))).to.equal(refusal);
    expect(exchange.attempts).to.equal(0);
  });

  it('does not go on after any other refusal or failure', async () => {
    const failure = new GatewayError('SERVICE_UNAVAILABLE', { cause: new Error('ECONNREFUSED') });
    const exchange = exchangeTo(['http://one:1', 'http://two:2']);
    expect(await failureOf(attemptsWith([])(exchange, () => Promise.reject(failure)))).to.equal(failure);
    expect(exchange.attempts).to.equal(1);
    expect(records).to.deep.equal([['http://one:1', false]]);
  });

  it('counts 5xx for a failure, and a client that left for nothing', async () => {
    const exchange = exchangeTo(['http://one:1']);
    const attempt = attemptsWith([]);
    await attempt(exchange, async () => ({ status: 502, headers: [] }));
    await attempt(exchange, async () => ({ status: 403, headers: [] }));
    await failureOf(attempt(exchange, () => Promise.reject(new GatewayError('CLIENT_CLOSED_REQUEST'))));
    expect(records).to.deep.equal([
      ['http://one:1', false],
      ['http://one:1', true],
    ]);
  });

  it('avoids the targets that were tried', async () => {
    const exchange = exchangeTo(['http://one:1', 'http://two:2']);
    const tried = exchange.service.targets.slice(0, 1);
    for (let i = 0; i < 3; i += 1) {
      await attemptsWith([])(exchange, async () => SWITCHING, tried);
      expect(exchange.target?.url).to.equal('http://two:2');
    }
  });

  it('refuses without a target', async () => {
    const exchange = exchangeTo(['http://one:1']);
    for (const target of exchange.service.targets) target.healthy = false;
    exchange.service.refresh();
    const failure = await failureOf(attemptsWith([])(exchange, async () => SWITCHING));
    expect(failure).to.include({ code: 'SERVICE_UNAVAILABLE' });
  });
});
