import { expect } from 'chai';
import { GatewayError } from '../../../core/errors.js';
import type { Exchange } from '../../../core/exchange.js';
import { responseFields } from '../../../core/proxy/header-fields.js';
import { UpstreamResponse } from '../../../core/proxy/upstream-response.js';
import { errorCodeOf, statusOf, wasDelivered, wasSuccessful } from '../../../core/statistics/outcome.js';
import { FakeClock } from '../../support/fake-clock.js';
import { type Ending, exchangeOf } from './exchanges.js';

function broken(ending: Ending, failure: Error | undefined): Exchange {
  const exchange = exchangeOf({ ...ending, delivered: false });
  const observer = { onInformational: () => undefined, onSettled: () => undefined };
  exchange.upstream = new UpstreamResponse(responseFields(), observer, new FakeClock());
  exchange.upstream.error = failure;
  return exchange;
}

/** As `[status, code, delivered, successful]`. */
function outcome(exchange: Exchange) {
  return [statusOf(exchange), errorCodeOf(exchange), wasDelivered(exchange), wasSuccessful(exchange)];
}

function withCode(exchange: Exchange, code: string): Exchange {
  exchange.errorCode = code;
  return exchange;
}

describe('the outcome of a request', () => {
  const refused = Object.assign(new Error('gone'), { code: 'UND_ERR_SOCKET' });
  const slow = Object.assign(new Error('slow'), { code: 'UND_ERR_BODY_TIMEOUT' });
  const rows: readonly (readonly [string, Exchange, readonly unknown[]])[] = [
    ['a success', exchangeOf({ status: 200 }), [200, undefined, true, true]],
    ['a redirect', exchangeOf({ status: 302 }), [302, undefined, true, true]],
    ['a service that answers 404', exchangeOf({ status: 404 }), [404, undefined, true, false]],
    [
      'an error of the gateway',
      withCode(exchangeOf({ status: 429 }), 'RATE_LIMITED'),
      [429, 'RATE_LIMITED', true, false],
    ],
    [
      'a client that left before the head',
      exchangeOf({ delivered: false }),
      [499, 'CLIENT_CLOSED_REQUEST', false, false],
    ],
    [
      'a client that left, and so ended the upstream request',
      broken({}, new GatewayError('CLIENT_CLOSED_REQUEST')),
      [499, 'CLIENT_CLOSED_REQUEST', false, false],
    ],
    ['an upstream that broke off', broken({}, refused), [499, 'BAD_GATEWAY', false, false]],
    ['an upstream that stalled', broken({}, slow), [499, 'GATEWAY_TIMEOUT', false, false]],
    [
      'an upgrade that was granted',
      exchangeOf({ status: 101, kind: 'upgrade', delivered: false }),
      [101, undefined, true, true],
    ],
    [
      'an upgrade whose client left before it was granted',
      exchangeOf({ status: 200, kind: 'upgrade', delivered: false }),
      [499, 'CLIENT_CLOSED_REQUEST', false, false],
    ],
  ];
  for (const [title, exchange, expected] of rows) {
    it(title, () => {
      expect(outcome(exchange)).to.deep.equal(expected);
    });
  }

  it('has the status that was sent where the body broke off', () => {
    const exchange = broken({ status: 200 }, refused);
    Object.defineProperty(exchange.res, 'headersSent', { value: true });
    expect(outcome(exchange)).to.deep.equal([200, 'BAD_GATEWAY', false, false]);
  });
});
