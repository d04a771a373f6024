import { expect } from 'chai';
import fc from 'fast-check';
import { type Exchange, GatewayError } from '../../../core/index.js';
import { closeClass, faultOf } from '../../../plugins/ws-proxy/close-codes.js';
import { ConnectionLimits } from '../../../plugins/ws-proxy/connection-limits.js';
import { offeredProtocols } from '../../../plugins/ws-proxy/managed/client-handshake.js';
import { OriginCheck } from '../../../plugins/ws-proxy/origin-check.js';
import { exchangeOf, serviceOf, settingsOf } from '../../core/services/support.js';

const NONE = { total: 0, perService: 0, perClient: 0 };

function exchangeFrom(clientAddress: string, service = 'a', consumer?: string): Exchange {
  const exchange = exchangeOf({});
  Object.defineProperty(exchange, 'clientAddress', { value: clientAddress });
  Object.assign(exchange, { service: serviceOf(service, settingsOf(['http://one:1'])) });
  if (consumer !== undefined) exchange.consumer = { id: consumer, authenticatedBy: 'test' };
  return exchange;
}

describe('ws-proxy: ConnectionLimits', () => {
  const codeOf = (enter: () => unknown): string => {
    try {
      enter();
      return 'let in';
    } catch (error) {
      return error instanceof GatewayError ? error.code : String(error);
    }
  };

  it('counts a consumer wherever it comes from, and addresses of one /64 together', () => {
    const limits = new ConnectionLimits();
    const options = { ...NONE, perClient: 1 };
    const enter = (address: string, consumer?: string) =>
      codeOf(() => limits.enter(exchangeFrom(address, 'a', consumer), options));
    expect(enter('192.0.2.1')).to.equal('let in');
    expect(enter('192.0.2.1')).to.equal('RATE_LIMITED');
    expect(enter('192.0.2.2')).to.equal('let in');
    expect(enter('192.0.2.1', 'alice')).to.equal('let in');
    expect(enter('192.0.2.3', 'alice')).to.equal('RATE_LIMITED');
    expect(enter('2001:db8::1')).to.equal('let in');
    expect(enter('2001:db8::ffff')).to.equal('RATE_LIMITED');
    expect(enter('2001:db8:0:1::1')).to.equal('let in');
  });

  it('never lets in more than the limits, and always up to them', () => {
    fc.assert(
      fc.property(
        fc.record({ total: fc.nat(6), perService: fc.nat(4), perClient: fc.nat(3) }),
        fc.array(
          fc.oneof(
            fc.record({
              client: fc.constantFrom('192.0.2.1', '192.0.2.2'),
              service: fc.constantFrom('a', 'b'),
            }),
            fc.record({ leave: fc.nat(10), twice: fc.boolean() }),
          ),
        ),
        (options, steps) => {
          const limits = new ConnectionLimits();
          const inside: { client: string; service: string; leave: () => void }[] = [];
          for (const step of steps) {
            if ('leave' in step) {
              const [gone] = inside.splice(step.leave, 1);
              gone?.leave();
              if (step.twice) gone?.leave();
              continue;
            }
            const { client, service } = step;
            const count = (of: 'client' | 'service', name: string) =>
              inside.filter((each) => each[of] === name).length;
            const isFree =
              (options.total === 0 || inside.length < options.total) &&
              (options.perService === 0 || count('service', service) < options.perService) &&
              (options.perClient === 0 || count('client', client) < options.perClient);
            const outcome = codeOf(() => {
              inside.push({ client, service, leave: limits.enter(exchangeFrom(client, service), options) });
            });
            expect(outcome === 'let in').to.equal(isFree);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('ws-proxy: OriginCheck', () => {
  it('lets any pass without a list, and callers without an origin always', () => {
    expect(new OriginCheck([]).allows('https://anywhere.example')).to.equal(true);
    expect(new OriginCheck(['https://a.example']).allows(undefined)).to.equal(true);
  });

  for (const [origin, allowed] of [
    ['https://a.example', true],
    ['HTTPS://A.EXAMPLE', true],
    ['https://a.example:8443', false],
    ['http://a.example', false],
    ['https://b.example', false],
    ['https://x.b.example', true],
    ['https://x.y.b.example', true],
    ['https://evil-b.example', false],
    ['https://.b.example', false],
    ['null', true],
    ['', false],
  ] as const) {
    it(`${allowed ? 'lets' : 'does not let'} '${origin}' pass`, () => {
      const check = new OriginCheck(['https://a.example', 'https://*.b.example', 'null']);
      expect(check.allows(origin)).to.equal(allowed);
    });
  }
});

describe('ws-proxy: the fine print', () => {
  it('reads subprotocols of several fields, in order', () => {
    const fields = ['Sec-WebSocket-Protocol', 'a, b', 'X', 'y', 'sec-websocket-protocol', 'c'];
    expect(offeredProtocols(fields)).to.deep.equal(['a', 'b', 'c']);
    expect(offeredProtocols([])).to.deep.equal([]);
    for (const wrong of ['', 'a,', 'a a', 'a;b', '"a"']) {
      expect(() => offeredProtocols(['Sec-WebSocket-Protocol', wrong]), wrong).to.throw(GatewayError);
    }
  });

  it('has one class for every close code', () => {
    const classes = new Set(Array.from({ length: 4000 }, (_, i) => closeClass(1000 + i)));
    expect([...classes].sort()).to.deep.equal([
      'abnormal',
      'application',
      'going_away',
      'normal',
      'policy',
      'protocol_error',
      'server_error',
      'too_large',
    ]);
  });

  it('tells faults of a peer from broken connections', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    expect(faultOf(error('WS_ERR_INVALID_UTF8'))).to.equal(1007);
    expect(faultOf(error('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'))).to.equal(1009);
    expect(faultOf(error('WS_ERR_INVALID_OPCODE'))).to.equal(1002);
    expect(faultOf(error('Z_DATA_ERROR'))).to.equal(1002);
    expect(faultOf(error('ECONNRESET'))).to.equal(undefined);
    expect(faultOf(new Error('what?'))).to.equal(undefined);
  });
});
